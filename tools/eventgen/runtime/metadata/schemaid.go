package metadata

import (
	"encoding/binary"
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"
)

// The headers in which Apicurio's serializers write the id of a schema: eight bytes, big endian.
const (
	headerContentID = "apicurio.value.contentId"
	headerGlobalID  = "apicurio.value.globalId"
)

// SetSchemaID writes the id of the schema of a value.
func SetSchemaID(m message.Metadata, id int) {
	m[headerContentID] = string(binary.BigEndian.AppendUint64(nil, uint64(id)))
}

// SchemaID returns the id of the schema of a value.
func SchemaID(m message.Metadata) (int, error) {
	for _, name := range []string{headerContentID, headerGlobalID} {
		if text, ok := m[name]; ok {
			if len(text) != 8 {
				return 0, fmt.Errorf("header %s has %d bytes, not 8", name, len(text))
			}
			return int(binary.BigEndian.Uint64([]byte(text))), nil
		}
	}
	return 0, fmt.Errorf("header %s is missing", headerContentID)
}
