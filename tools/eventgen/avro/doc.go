// Package avro turns the Avro schemas of a contract into Go: it reads them from files with positions, across files and
// namespaces, tells every fault with its place, and emits one Go package per namespace with static codecs.
//
// The model and emit stages of eventgen import it. What it emits imports avrobin and the standard library.
//
// Names: an Avro name is split where its case changes and at underscores, each word begins with a capital, and the words
// API, ASCII, BIC, CPU, EOF, HTML, HTTP, HTTPS, IBAN, ID, IP, JSON, SQL, SSL, TCP, TLS, TTL, UDP, UI, URI, URL, UTC, UTF8, UUID, VAT and
// XML are written in capitals: contractRef is ContractRef, vatNumber is VATNumber, DIRECT_DEBIT is DirectDebit. A name that is
// taken gets a number, and its comment says so.
package avro
