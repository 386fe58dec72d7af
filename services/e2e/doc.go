// Package e2e contains the system tests. They run the services as processes on a broker, kill and
// restart them, and check the answers against the records on the topics. With -e2e.full each test
// runs at its full length. The package exports nothing.
package e2e
