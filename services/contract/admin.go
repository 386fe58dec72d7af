package contract

import (
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/services/contract/internal/store"
	"github.com/deferpay/deferpay/services/internal/ledger"
	"github.com/deferpay/deferpay/services/journal/admin"
)

// OpenLog returns the log of the service for the people who operate it, without touching the
// network. What they append has the name writer. With allowUnverified, a configuration of the topic
// that may not be read is not an error.
func OpenLog(writer string, client []kgo.Opt, allowUnverified bool) (*admin.Log, error) {
	cfg := ledger.Config{Writer: writer, ClientOptions: client, AllowUnverified: allowUnverified}
	s, err := store.New(cfg)
	if err != nil {
		return nil, err
	}
	return s.Admin(), nil
}
