package api

import (
	"slices"
	"strconv"
	"strings"

	"github.com/deferpay/deferpay/gen/contractapi"
	"github.com/deferpay/deferpay/services/contract/internal/contract"
	"github.com/deferpay/deferpay/services/contract/internal/store"
	"github.com/deferpay/deferpay/services/internal/problem"
)

// etag is a version as an entity tag.
func etag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// precondition compares If-Match with the contract a command is decided on: RFC 9110, section
// 13.1.1, strong comparison.
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
		return p.WithExtension(judgedBy{c.Version})
	}
}

func matches(ifMatch, tag string) bool {
	if strings.TrimSpace(ifMatch) == "*" {
		return true
	}
	return slices.ContainsFunc(strings.Split(ifMatch, ","), func(t string) bool { return strings.TrimSpace(t) == tag })
}

func replayed(out store.Outcome) contractapi.OptBool {
	return contractapi.OptBool{Value: true, Set: out.Replayed}
}
