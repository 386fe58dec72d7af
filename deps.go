//go:build tools
package deps
import (
 _ "github.com/ogen-go/ogen/cmd/ogen"
 _ "github.com/ogen-go/ogen/validate"
 _ "github.com/ThreeDotsLabs/watermill/message"
 _ "github.com/ThreeDotsLabs/watermill-kafka/v3/pkg/kafka"
 _ "github.com/IBM/sarama"
 _ "github.com/hamba/avro/v2"
 _ "github.com/twmb/franz-go/pkg/kgo"
 _ "github.com/twmb/franz-go/pkg/kfake"
 _ "github.com/twmb/franz-go/pkg/kadm"
 _ "github.com/twmb/franz-go/pkg/sr"
 _ "github.com/twmb/franz-go/pkg/kmsg"
 _ "github.com/twmb/avro"
 _ "github.com/santhosh-tekuri/jsonschema/v6"
 _ "github.com/asyncapi/spec-json-schemas/v6"
 _ "pgregory.net/rapid"
 _ "github.com/anishathalye/porcupine"
 _ "golang.org/x/tools/txtar"
 _ "go.yaml.in/yaml/v3"
 _ "github.com/getkin/kin-openapi/openapi3"
 _ "github.com/google/uuid"
)

import (
 _ "github.com/pb33f/libopenapi"
 _ "github.com/pb33f/libopenapi-validator"
 _ "github.com/ogen-go/ogen/http"
 _ "github.com/ogen-go/ogen/ogenerrors"
 _ "github.com/ogen-go/ogen/middleware"
 _ "github.com/ogen-go/ogen/otelogen"
 _ "go.opentelemetry.io/otel"
 _ "golang.org/x/sync/errgroup"
)
