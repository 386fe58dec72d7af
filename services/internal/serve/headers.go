package serve

import "net/http"

// securityHeaders are on every answer. No answer is a page, may be kept by a cache, or is for
// scripts of other sites.
var securityHeaders = map[string][]string{
	"Cache-Control":                {"no-store"},
	"Content-Security-Policy":      {"default-src 'none'; frame-ancestors 'none'"},
	"Cross-Origin-Resource-Policy": {"same-origin"},
	"Referrer-Policy":              {"no-referrer"},
	"X-Content-Type-Options":       {"nosniff"},
	"X-Frame-Options":              {"DENY"},
}

// strictTransport is added on a server that speaks TLS.
var strictTransport = []string{"max-age=31536000"}

// withHeaders returns a handler that adds the security headers to the answers of next. Next may
// replace them.
func withHeaders(tls bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		addSecurityHeaders(w.Header(), tls)
		next.ServeHTTP(w, r)
	})
}

func addSecurityHeaders(h http.Header, tls bool) {
	for name, value := range securityHeaders {
		h[name] = value // shared, as nobody changes the values of a header in place
	}
	if tls {
		h["Strict-Transport-Security"] = strictTransport
	}
}
