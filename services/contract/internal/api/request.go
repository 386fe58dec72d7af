package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/deferpay/deferpay/gen/contractapi"
	"github.com/deferpay/deferpay/services/contract/internal/contract"
	"github.com/deferpay/deferpay/services/contract/internal/store"
	"github.com/deferpay/deferpay/services/internal/access"
	"github.com/deferpay/deferpay/services/internal/idempotency"
	"github.com/deferpay/deferpay/services/internal/problem"
)

// request names a write: who asks, under which key, for what. It is told from others by the command as the domain gets it,
// so that another way to write an instant makes no other request of it.
func request(ctx context.Context, operation string, key contractapi.OptString, path string, command contract.Command) (idempotency.Request, error) {
	if key.Value == "" {
		return idempotency.Request{}, problem.New(problem.IdempotencyKeyMissing, "the header Idempotency-Key is missing").
			WithHint("send a new key for each intention, and the same key on each retry of it")
	}
	caller, ok := access.From(ctx)
	if !ok {
		return idempotency.Request{}, errors.New("no caller in the context of a request")
	}
	body, err := json.Marshal(map[string]contract.Command{fmt.Sprintf("%T", command): command})
	if err != nil {
		return idempotency.Request{}, fmt.Errorf("hash the request: %w", err)
	}
	return idempotency.New(caller.Subject, key.Value, operation, path, json.RawMessage(body))
}

// etag is a version as an entity tag.
func etag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// precondition compares If-Match with the contract a command is decided on: RFC 9110, section 13.1.1, strong comparison.
func precondition(ifMatch contractapi.OptString) func(*contract.Contract) error {
	return func(c *contract.Contract) error {
		var p *problem.Problem
		switch {
		case ifMatch.Value == "":
			p = problem.New(problem.PreconditionRequired, "the header If-Match is missing").
				WithHint("read %s and send its ETag as If-Match", c.Ref)
		case !matches(ifMatch.Value, etag(c.Version)):
			p = problem.New(problem.PreconditionFailed, "%s has the version %d; If-Match says %s", c.Ref, c.Version, ifMatch.Value).
				WithHint("read it again, decide anew, and send the new ETag")
		default:
			return nil
		}
		p.ContractVersion = c.Version
		return p
	}
}

func matches(ifMatch, tag string) bool {
	if strings.TrimSpace(ifMatch) == "*" {
		return true
	}
	return slices.ContainsFunc(strings.Split(ifMatch, ","), func(t string) bool { return strings.TrimSpace(t) == tag })
}

// position writes a place in the log as the header Log-Position has it.
func (h *handler) position(offset int64) string {
	return h.store.Topic() + ":" + strconv.FormatInt(max(offset, 0), 10)
}

// fresh returns when a query may be answered: the service is ready, and has read as far as the client asked for.
func (h *handler) fresh(ctx context.Context, asked contractapi.OptString) error {
	if err := h.store.Ready(); err != nil {
		return notReady(err)
	}
	if !asked.Set {
		return nil
	}
	topic, text, _ := strings.Cut(asked.Value, ":")
	offset, err := strconv.ParseInt(text, 10, 64)
	if err != nil || topic != h.store.Topic() {
		p := problem.New(problem.InvalidRequest, "Log-Position %s is not one of this service", asked.Value).
			WithHint("send a Log-Position as this service gave it, %s:OFFSET, or none", h.store.Topic())
		p.Errors = []problem.FieldError{{Pointer: "header:Log-Position", Message: "must be " + h.store.Topic() + ":OFFSET"}}
		return p
	}
	ctx, cancel := context.WithTimeout(ctx, positionTime)
	defer cancel()
	if err := h.store.WaitFor(ctx, offset); err != nil {
		return problem.New(problem.PositionNotReached, "asked for %s; this instance is at %s", asked.Value, h.position(h.store.Position())).
			WithHint("repeat the request, or leave Log-Position out").WithRetryAfter(1)
	}
	return nil
}

func replayed(out store.Outcome) contractapi.OptBool {
	return contractapi.OptBool{Value: true, Set: out.Replayed}
}
