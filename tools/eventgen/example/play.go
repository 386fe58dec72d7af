package main

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/deferpay/deferpay/tools/eventgen/example/gen/event"
	"github.com/deferpay/deferpay/tools/eventgen/example/gen/payload"
	centre "github.com/deferpay/deferpay/tools/eventgen/example/gen/weatherbus"
	stations "github.com/deferpay/deferpay/tools/eventgen/example/gen/weatherclient"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/bus"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/registry"
)

// repliesTopic is the topic for the answers to the centre. The document leaves it to the requester.
const repliesTopic = "weather.centre.replies.v1"

var regions = []centre.MeasurementsParams{{Region: centre.MeasurementsRegionNorth}, {Region: centre.MeasurementsRegionSouth}}

// watcher is the centre. It handles the measurements.
type watcher struct {
	out  io.Writer
	mu   sync.Mutex
	left int
	done chan struct{}
}

func (w *watcher) Measured(_ context.Context, m *centre.MeasuredMessage) error {
	at, err := centre.ParseMeasurementsParams(m.Topic)
	if err != nil {
		return bus.Permanent(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	fmt.Fprintf(w.out, "centre: %s in the %s measured %s degrees\n", m.Key, at.Region, m.Value.Temperature)
	if w.left--; w.left == 0 {
		close(w.done)
	}
	return nil
}

// station is the other side. It handles the messages of the centre.
type station struct{ out io.Writer }

func (s station) StationChanged(_ context.Context, m *stations.StationChangedMessage) error {
	fmt.Fprintf(s.out, "station: %s is %s\n", m.Key, m.Value.Status)
	return nil
}

func (s station) CalibrationRequested(_ context.Context, m *stations.CalibrationRequestedMessage) (stations.CalibrateAnswer, error) {
	if m.Value.Instrument == "anemometer" {
		return stations.CalibrateWithCalibrationFailed(payload.CalibrationFailure{Reason: "it is frozen"}, stations.FailedHeaders{}), nil
	}
	return stations.CalibrateWithCalibrationDone(payload.CalibrationResult{Drift: 0.25}, stations.DoneHeaders{}), nil
}

// play connects both sides by a Watermill publisher and subscribers, and returns when all messages
// were handled.
func play(ctx context.Context, publisher message.Publisher, subscriber func(group string) (message.Subscriber, error), schemas registry.Schemas, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	router, err := message.NewRouter(message.RouterConfig{CloseTimeout: 5 * time.Second}, watermill.NopLogger{})
	if err != nil {
		return err
	}
	watch := &watcher{out: out, left: len(regions), done: make(chan struct{})}
	requester, err := wire(router, publisher, subscriber, schemas, watch, station{out})
	if err != nil {
		return err
	}
	defer requester.Close()
	ended := make(chan error, 1)
	go func() { ended <- router.Run(ctx) }()
	<-router.Running()
	if err := talk(ctx, publisher, schemas, requester, out); err != nil {
		return err
	}
	select {
	case <-watch.done:
	case <-ctx.Done():
		return fmt.Errorf("not all messages were handled: %w", context.Cause(ctx))
	}
	cancel()
	return <-ended
}

// wire adds both sides to the router.
func wire(router *message.Router, publisher message.Publisher, subscriber func(group string) (message.Subscriber, error), schemas registry.Schemas, w *watcher, s station) (*centre.Requester, error) {
	var topics []string
	for _, at := range regions {
		topic, err := at.Topic()
		if err != nil {
			return nil, err
		}
		topics = append(topics, topic)
	}
	of := map[string]message.Subscriber{}
	for _, group := range []string{centre.FollowMeasurementsGroup, "stations", "centre.replies"} {
		sub, err := subscriber(group)
		if err != nil {
			return nil, err
		}
		of[group] = sub
	}
	if err := centre.Register(router, of[centre.FollowMeasurementsGroup], topics, w, bus.WithRegistry(schemas), bus.WithDeadLetters(publisher)); err != nil {
		return nil, err
	}
	if err := stations.Register(router, of["stations"], s, bus.WithAnswers(publisher)); err != nil {
		return nil, err
	}
	return centre.NewRequester(publisher, of["centre.replies"], bus.SendWithReplyTo(repliesTopic)), nil
}

// talk sends the messages of both sides.
func talk(ctx context.Context, publisher message.Publisher, schemas registry.Schemas, requester *centre.Requester, out io.Writer) error {
	announce := centre.NewPublisher(publisher)
	err := announce.StationChanged(ctx, "ST-12", payload.StationState{
		StationRef: "ST-12", Status: payload.StationStatusWorking, Position: payload.Position{Latitude: 48.85, Longitude: 2.35},
	}, nil)
	if err != nil {
		return err
	}
	measure := stations.NewPublisher(publisher, bus.SendWithRegistry(schemas))
	for i, region := range []stations.MeasurementsRegion{stations.MeasurementsRegionNorth, stations.MeasurementsRegionSouth} {
		err := measure.Measured(ctx, stations.MeasurementsParams{Region: region}, "ST-12", event.Measured{
			StationRef: "ST-12", MeasuredAt: time.Now(), Temperature: avrobin.NewDecimal(2150+int64(i), 2),
		}, stations.MeasuredHeaders{ID: fmt.Sprintf("m-%d", i)})
		if err != nil {
			return err
		}
	}
	for _, instrument := range []string{"thermometer", "anemometer"} {
		answer, err := requester.Calibrate(ctx, "ST-12", payload.Calibration{StationRef: "ST-12", Instrument: instrument}, centre.RequestHeaders{})
		switch {
		case err != nil:
			return err
		case answer.CalibrationDone != nil:
			fmt.Fprintf(out, "centre: the %s was off by %g\n", instrument, answer.CalibrationDone.Value.Drift)
		default:
			fmt.Fprintf(out, "centre: the %s was not calibrated: %s\n", instrument, answer.CalibrationFailed.Value.Reason)
		}
	}
	return nil
}
