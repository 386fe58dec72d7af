// Package e2e holds the system tests: the services as real processes on a broker, killed and
// restarted, judged by what is on the topics. It has nothing to import. With -e2e.full the tests
// take their full length.
package e2e
