package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/deferpay/deferpay/tools/contracttest/judge"
	"github.com/deferpay/deferpay/tools/contracttest/kafkatest"
)

// topics judges the topics of a running system, anybody's, by AsyncAPI documents, and the consumers
// of the operations that -hostile names.
func (o *options) topics(ctx context.Context, out io.Writer) (int, error) {
	if len(o.asyncapi) == 0 || o.brokers == "" {
		return 0, errors.New("-asyncapi FILE and -brokers HOST:PORT belong together")
	}
	framing := kafkatest.FrameAs(kafkatest.Framing(o.framing))
	contract, err := kafkatest.Load(o.asyncapi, framing)
	if err != nil {
		return 0, err
	}
	rules := kafkatest.Rules{Type: o.typeHeader, ID: o.idHeader, Version: o.versionField}
	for _, file := range o.former {
		former, err := kafkatest.Load([]string{file}, framing)
		if err != nil {
			return 0, err
		}
		rules.Former = append(rules.Former, former)
	}
	broker, err := o.kafka.Open()
	if err != nil {
		return 0, err
	}
	client, err := o.registrySecurity.HTTPClient()
	if err != nil {
		return 0, err
	}
	s, err := kafkatest.Connect(contract, kafkatest.Config{
		Brokers: strings.Split(o.brokers, ","), Client: broker.Options(), Registry: o.registry, RegistryClient: client, Rules: rules,
	})
	if err != nil {
		return 0, err
	}
	defer s.Close()
	c := newCoverage()
	left, err := o.judge(ctx, s, c)
	if err != nil {
		var refused *kafkatest.RegistryError
		if errors.As(err, &refused) && (refused.Status == http.StatusUnauthorized || refused.Status == http.StatusForbidden) {
			return 0, fmt.Errorf("%w; check -registry-user and -registry-password-file, or -registry-token-file", err)
		}
		return 0, broker.Explain(err)
	}
	for _, text := range left {
		fmt.Fprintln(out, "not judged:", text)
	}
	api, err := judge.LoadAPI()
	if err != nil {
		return 0, err
	}
	return o.report(out, c, api, judge.EventsOf(contract))
}

// judge judges the topics that the broker has, and the consumers. It returns what is not judged,
// with the reasons.
func (o *options) judge(ctx context.Context, s *kafkatest.Session, c *coverage) ([]string, error) {
	topics, err := s.Existing(ctx)
	if err != nil {
		return nil, err
	}
	notJudged := slices.Concat(s.Contract().NotJudged, s.Contract().Unobserved(topics, o.registry != ""))
	if err := s.Observe(ctx, topics, c.record); err != nil {
		return nil, err
	}
	for _, name := range o.hostile {
		left, err := hostile(ctx, s, name, c)
		if err != nil {
			return nil, err
		}
		notJudged = append(notJudged, left...)
	}
	return notJudged, nil
}

// hostile sends to the consumer of an operation, which is named OPERATION or OPERATION/MESSAGE. It
// returns what could not be sent.
func hostile(ctx context.Context, s *kafkatest.Session, name string, c *coverage) (notJudged []string, err error) {
	name, message, _ := strings.Cut(name, "/")
	op := s.Contract().Operation(name)
	if op == nil || len(op.Messages) == 0 {
		return nil, fmt.Errorf("the documents have no operation %s with a message", name)
	}
	if message == "" {
		message = op.Messages[0].Name
	}
	outcomes, err := s.Hostile(ctx, op, message, s.Fresh)
	c.consumed = append(c.consumed, outcomes...)
	if op.Unknown != "error" && !slices.ContainsFunc(outcomes, func(o kafkatest.Outcome) bool { return o.Kind == kafkatest.UnknownType }) {
		notJudged = append(notJudged, "operation "+name+": a message of an unknown type is sent only as Avro with Confluent's framing, and with -registry")
	}
	return notJudged, err
}
