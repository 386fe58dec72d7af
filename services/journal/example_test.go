package journal_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/deferpay/deferpay/services/journal"
	"github.com/deferpay/deferpay/services/journal/journalsim"
	"github.com/deferpay/deferpay/services/journal/journaltest"
)

// A theatre sells seats at several box offices. Each seat is a stream.

type seat struct{ Holder string }

type sale struct{ Seat, Holder string }

var errTaken = errors.New("the seat is taken")

func seatStream(number string) journal.Stream { return journal.Stream("seat/" + number) }

// sell is the rule: a pure function of the states.
func sell(v *journal.View[seat], number, holder string) (sale, error) {
	switch s, sold := v.State(seatStream(number)); {
	case sold && s.Holder == holder:
		return sale{}, journal.ErrAlready
	case sold:
		return sale{}, errTaken
	}
	return sale{number, holder}, nil
}

// applySale is the fold: what a sale does to its seat.
func applySale(v *journal.View[seat], e journal.Entry[sale]) error {
	if _, sold := v.State(seatStream(e.Body.Seat)); sold {
		return fmt.Errorf("seat %s is sold twice", e.Body.Seat)
	}
	v.Set(seatStream(e.Body.Seat), seat{e.Body.Holder})
	return nil
}

// saleCodec writes sales as JSON.
type saleCodec struct{}

func (saleCodec) Encode(s sale) (kind string, data []byte, err error) {
	data, err = json.Marshal(s)
	return "sale", data, err
}

func (saleCodec) Decode(kind string, data []byte) (s sale, err error) {
	if kind != "sale" {
		return s, fmt.Errorf("%w: %s", journal.ErrUnknownKind, kind)
	}
	return s, json.Unmarshal(data, &s)
}

// Two box offices sell the same seat at the same moment. One of them gets it, and both know who.
func Example() {
	broker, stop, err := journaltest.Embedded()
	if err != nil {
		panic(err)
	}
	defer stop()
	var offices []*journal.Journal[seat, sale]
	for _, name := range []string{"north", "south"} {
		j, err := journal.New(journal.Config[seat, sale]{Topic: journaltest.Log, Writer: name, ClientOptions: broker, Codec: saleCodec{}, Fold: applySale})
		if err != nil {
			panic(err)
		}
		defer journaltest.Serve(j)()
		offices = append(offices, j)
	}
	answers := make([]error, len(offices))
	var both sync.WaitGroup
	for i, j := range offices {
		both.Go(func() {
			holder := "customer of " + []string{"north", "south"}[i]
			_, answers[i] = j.Decide(context.Background(), journal.On(seatStream("B-12")), func(v *journal.View[seat]) (sale, error) {
				return sell(v, "B-12", holder)
			})
		})
	}
	both.Wait()
	sold, taken := 0, 0
	for _, err := range answers {
		switch {
		case err == nil:
			sold++
		case errors.Is(err, errTaken):
			taken++
		}
	}
	fmt.Println("sold:", sold, "refused:", taken)
	// Output: sold: 1 refused: 1
}

// No seat is sold twice, in whatever order records reach the log.
func TestSeatsOnASimulatedLog(t *testing.T) {
	theatre := journalsim.Domain[seat, sale]{Codec: saleCodec{}, Fold: applySale, Next: func(r *rand.Rand) journalsim.Command[seat, sale] {
		number, holder := fmt.Sprint(r.IntN(20)), fmt.Sprint("customer ", r.IntN(5))
		return journalsim.Command[seat, sale]{Streams: journal.On(seatStream(number)), Decide: func(v *journal.View[seat]) (sale, error) { return sell(v, number, holder) }}
	}}
	for seed := range uint64(200) {
		if _, err := theatre.Run(seed, 300); err != nil {
			t.Fatal(err)
		}
	}
}
