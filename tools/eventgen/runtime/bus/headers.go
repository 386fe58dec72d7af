package bus

import (
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/metadata"
)

// writeHeaders writes typed headers. If the contract declares none, it writes all headers as they
// are.
func (c *Spec[T, K, H]) writeHeaders(h *H, m message.Metadata) error {
	if c.Write != nil {
		return c.Write(h, m)
	}
	if free, ok := any(h).(*Headers); ok {
		for name, v := range *free {
			if metadata.Reserved(name) {
				return fmt.Errorf("header %s is a reserved name", name)
			}
			m[name] = v
		}
	}
	return nil
}

func (c *Spec[T, K, H]) readHeaders(m message.Metadata) (h H, err error) {
	if c.Read != nil {
		return c.Read(m)
	}
	if free, ok := any(&h).(*Headers); ok {
		*free = Headers{}
		for name, v := range m {
			if !metadata.Reserved(name) {
				(*free)[name] = v
			}
		}
	}
	return h, nil
}
