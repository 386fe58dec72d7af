package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
)

// Sealed is an encrypted value. It has the fields of journal.Sealed, to which it converts.
type Sealed struct {
	KeyID      string
	Nonce      []byte
	Ciphertext []byte
}

const (
	keySize   = 32 // AES-256
	nonceSize = 12
)

// key is the secret of one sealed value.
type key [keySize]byte

// String hides the key. The methods beside it do the same for other ways of printing.
func (key) String() string { return "(key)" }

// GoString hides the key.
func (key) GoString() string { return "(key)" }

func (k *key) aead() (cipher.AEAD, error) {
	block, err := aes.NewCipher(k[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// seal encrypts a value about a subject.
func (k *key) seal(id, subject string, plaintext []byte) (Sealed, error) {
	aead, err := k.aead()
	if err != nil {
		return Sealed{}, err
	}
	nonce := make([]byte, nonceSize)
	rand.Read(nonce) // never fails
	return Sealed{KeyID: id, Nonce: nonce, Ciphertext: aead.Seal(nil, nonce, plaintext, bound(id, subject))}, nil
}

// open decrypts what seal returned.
func (k *key) open(subject string, s Sealed) ([]byte, error) {
	aead, err := k.aead()
	if err != nil {
		return nil, err
	}
	if len(s.Nonce) != nonceSize {
		return nil, fmt.Errorf("%w: the nonce has %d bytes", ErrCorrupt, len(s.Nonce))
	}
	plaintext, err := aead.Open(nil, s.Nonce, s.Ciphertext, bound(s.KeyID, subject))
	if err != nil {
		return nil, fmt.Errorf("%w: it was changed, or sealed about something else", ErrCorrupt)
	}
	return plaintext, nil
}

// bound returns the data that is authenticated with a value. Each part has its length in front.
func bound(id, subject string) []byte {
	data := []byte("deferpay.seal.v1")
	for _, part := range []string{id, subject} {
		data = binary.BigEndian.AppendUint64(data, uint64(len(part)))
		data = append(data, part...)
	}
	return data
}

// Errors of a Ring, to be told apart with errors.Is.
var (
	// ErrForgotten: there is no such key on the topic. Since a key is there before a record names
	// it, the key was forgotten, or the topic has lost records.
	ErrForgotten = errors.New("key forgotten")
	// ErrCorrupt: the sealed value is not what Seal returned for this subject, or the record of its
	// key cannot be read.
	ErrCorrupt = errors.New("sealed value does not open")
	// ErrNotReady: the topic could not be written or read to its end in time. Trying again may
	// help.
	ErrNotReady = errors.New("keys not ready")
)
