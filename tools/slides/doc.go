// Package slides makes the presentation: Markdown to HTML slides. It reads the decks and the
// recorded examples in docs/presentation, and the schemas in specs. Package docsite imports it.
//
// A slide begins with a comment that names it and says how long it is presented; its notes for the
// speaker begin with a second comment:
//
//	<!-- slide need 0:50 -->
//
//	## The need
//
//	...
//
//	<!-- notes -->
//
//	What the speaker says.
//
// A code block with one of these words after its fence shows an extract of a recorded example:
//
//	http-request NAME   the request in examples/NAME.http
//	http-answer NAME    the answer in examples/NAME.http
//	event NAME          the message in examples/NAME.json, decoded
//	bytes NAME          its bytes, one field a line
//	log NAME            the records in examples/NAME.txt
//	avro NAME           the schema in specs/avro/NAME.avsc
//
// Its lines select what is shown: "headers: Name Name" and "members: name name.inner". The text
// {#need} becomes the number of that slide, with a link.
package slides
