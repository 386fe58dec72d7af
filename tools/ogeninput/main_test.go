package main

import (
	"strings"
	"testing"
)

const published = `openapi: 3.1.0
paths:
  /things:
    parameters: []
    post:
      parameters:
        - {name: If-Match, in: header, required: true, schema: {type: string}}
        - {name: id, in: query, required: true, schema: {type: string}}
        - $ref: '#/components/parameters/Key'
      responses:
        '201':
          description: Made.
          links: {read: {operationId: readThing}}
        '400': {$ref: '#/components/responses/Bad'}
        '409':
          description: Busy.
          headers: {Retry-After: {$ref: '#/components/headers/Retry'}}
          content: {application/problem+json: {schema: {$ref: '#/components/schemas/Problem'}}}
components:
  parameters:
    Key: {name: Key, in: header, required: true, schema: {type: string}}
  headers:
    Retry: {description: Seconds., required: true, schema: {type: integer}}
  links:
    Read: {operationId: readThing}
  responses:
    Made: {description: Made., links: {read: {$ref: '#/components/links/Read'}}}
    Bad:
      description: Bad.
      content: {application/problem+json: {schema: {$ref: '#/components/schemas/Problem'}}}
  schemas:
    Problem: {type: object}
`

const derived = `openapi: 3.1.0
paths:
  /things:
    parameters: []
    post:
      parameters:
        - {name: If-Match, in: header, schema: {type: string}}
        - {name: id, in: query, required: true, schema: {type: string}}
        - $ref: '#/components/parameters/Key'
      responses:
        '201':
          description: Made.
        default:
          $ref: '#/components/responses/Problem'
components:
  parameters:
    Key: {name: Key, in: header, schema: {type: string}}
  headers:
    Retry: {description: Seconds., required: true, schema: {type: integer}}
  responses:
    Made: {description: Made.}
    Problem:
      description: Not done. A problem document (RFC 9457) with the cause and what to do.
      headers:
        Retry-After: {description: Seconds., schema: {type: integer}}
      content:
        application/problem+json:
          schema:
            $ref: '#/components/schemas/Problem'
  schemas:
    Problem: {type: object}
`

func TestDerive(t *testing.T) {
	got, err := derive([]byte(published))
	if err != nil {
		t.Fatal(err)
	}
	// Problem is added behind the other responses
	if string(got) != derived {
		t.Errorf("derived\n%s\nwant\n%s", got, derived)
	}
}

func TestUnreadableAnswer(t *testing.T) {
	plain := strings.Replace(published, "application/problem+json: {schema: {$ref: '#/components/schemas/Problem'}}}\ncomponents", "text/plain: {}}\ncomponents", 1)
	_, err := derive([]byte(plain))
	if err == nil || err.Error() != "POST /things: the answer 409 is neither a success nor a problem document" {
		t.Errorf("an answer in plain text: %v", err)
	}
	if _, err := derive(nil); err == nil {
		t.Error("an empty document was derived from")
	}
}
