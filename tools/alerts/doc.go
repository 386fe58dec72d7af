// Command alerts evaluates the alerts of docs/deployment.md with the engine of Prometheus:
//
//	alerts CHAPTER <SCRAPES
//
// CHAPTER is the Markdown file. SCRAPES is a JSON array of what instances answered on /metrics, in
// the order of time: {"at": seconds, "job": ..., "instance": ..., "text": ...}, without text if the
// instance did not answer. The command prints the alerts that fire at the time of the last scrape,
// one a line, each with its labels. The exit status is 1 if an expression or the input is not
// valid.
//
// It is a module of its own, because nobody who imports the main module is to depend on the server
// of Prometheus. The system tests run it.
package main
