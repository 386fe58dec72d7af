package live

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/deferpay/deferpay/tools/demo/story"
	"github.com/deferpay/deferpay/tools/live/stage"
)

//go:embed page
var embedded embed.FS

// policy lets the page load nothing from elsewhere, and no other page frame it.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Handler returns the handler of the page, of its events and of its buttons. Below /via/INSTANCE/
// it forwards requests to an instance and shows them with their answers. Addr is the address on
// which the view was told to listen. Requests to other hosts are refused, unless they are loopback.
func (v *View) Handler(addr string) http.Handler {
	mux := http.NewServeMux()
	pages, err := fs.Sub(embedded, "page")
	if err != nil {
		panic(err) // the folder is embedded
	}
	files := http.FileServerFS(pages)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			http.Error(w, "only GET", http.StatusMethodNotAllowed)
			return
		}
		w.Header().Set("Content-Security-Policy", policy)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Referrer-Policy", "no-referrer")
		w.Header().Set("Cache-Control", "no-cache")
		files.ServeHTTP(w, r)
	})
	mux.Handle("GET /events", v.feed)
	mux.HandleFunc("GET /story", v.story)
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /do/{action}", v.do)
	mux.HandleFunc("/via/{instance}/", v.via)
	// a page of somebody else must not press the buttons
	return onlyHosts(addr, http.NewCrossOriginProtection().Handler(mux))
}

// onlyHosts refuses requests to a host that is not ours. A page of somebody else may have a name
// that now leads to this machine (DNS rebinding). To the browser, and to the check of the origin,
// the page is then one of this server: only the host shows that it is not.
func onlyHosts(addr string, next http.Handler) http.Handler {
	own, _, err := net.SplitHostPort(addr)
	if err != nil {
		own = addr
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isOurs(r.Host, own) {
			http.Error(w, "this host is not the address of the live view: use its address, or localhost", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// isOurs reports whether a Host header names this machine or the host that the view listens on. If
// it listens on every address, any IP address will do: no name leads a browser to send one.
func isOurs(header, own string) bool {
	host, _, err := net.SplitHostPort(header)
	if err != nil {
		host = strings.Trim(header, "[]")
	}
	ip := net.ParseIP(host)
	all := own == "" || net.ParseIP(own).IsUnspecified()
	return strings.EqualFold(host, "localhost") || ip != nil && (all || ip.IsLoopback()) || own != "" && strings.EqualFold(host, own)
}

// story answers with the texts of the steps, in both languages.
func (v *View) story(w http.ResponseWriter, _ *http.Request) {
	texts, err := Texts()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(texts)
}

// StepText is a step of the story in both languages.
type StepText struct {
	EN story.Text `json:"en"`
	FR story.Text `json:"fr"`
}

// Texts returns the texts of the steps of the story. An error is returned if a step has no French
// text.
func Texts() ([]StepText, error) {
	data, err := embedded.ReadFile("page/story.fr.json")
	if err != nil {
		return nil, err
	}
	var french []struct{ Of, Title, Why string }
	if err := json.Unmarshal(data, &french); err != nil {
		return nil, err
	}
	steps := story.Steps()
	if len(french) != len(steps) {
		return nil, errors.New("page/story.fr.json has " + strconv.Itoa(len(french)) + " steps, the story has " + strconv.Itoa(len(steps)))
	}
	out := make([]StepText, len(steps))
	for i, s := range steps {
		if french[i].Of != s.Title || french[i].Title == "" || (french[i].Why == "") != (s.Why == "") {
			return nil, errors.New("page/story.fr.json is not about the step " + strconv.Quote(s.Title))
		}
		out[i] = StepText{EN: s, FR: story.Text{Title: french[i].Title, Why: french[i].Why}}
	}
	return out, nil
}

// do begins an action. It answers at once: what comes of it is in the events.
func (v *View) do(w http.ResponseWriter, r *http.Request) {
	err := v.begin(r.PathValue("action"), r.URL.Query())
	status, busy := http.StatusAccepted, stage.BusyError{}
	switch {
	case err == nil:
	case errors.As(err, &busy), errors.Is(err, errRestarting), errors.Is(err, stage.ErrUnavailable):
		status = http.StatusConflict
	case errors.Is(err, stage.ErrUnknown):
		status = http.StatusNotFound
	default:
		status = http.StatusServiceUnavailable
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	answer := map[string]string{"busy": busy.With}
	if err != nil {
		answer["error"] = err.Error()
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func (v *View) begin(action string, query url.Values) error {
	if action == "restart" {
		return v.restart()
	}
	v.mu.Lock()
	s := v.stage
	v.mu.Unlock()
	if s == nil {
		return errors.New("the system is not running yet")
	}
	number, _ := strconv.Atoi(query.Get("number")) // 0 is no step
	return s.Do(action, query.Get("on"), number)
}

// via forwards a request to an instance.
func (v *View) via(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	system := v.system
	v.mu.Unlock()
	name := r.PathValue("instance")
	if system != nil {
		for _, x := range system.Services() {
			if x.Name() != name {
				continue
			}
			to, err := url.Parse(x.URL)
			if err != nil {
				break
			}
			proxy := &httputil.ReverseProxy{Transport: v.recorder, Rewrite: func(p *httputil.ProxyRequest) {
				p.SetURL(to)
				p.Out.Header.Del("Live-Lose-Answer") // of the scenes alone
			}}
			http.StripPrefix("/via/"+name, proxy).ServeHTTP(w, r)
			return
		}
	}
	http.NotFound(w, r)
}

// Listen listens on an address, or on a free port of its host if its port is taken.
func Listen(addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if !errors.Is(err, syscall.EADDRINUSE) {
		return l, err
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	return net.Listen("tcp", net.JoinHostPort(host, "0"))
}

// Serve serves the view until ctx ends, and closes the listener. See Handler for addr.
func (v *View) Serve(ctx context.Context, l net.Listener, addr string) error {
	// the events of a browser end with the server, not only when the browser goes away
	browsing, end := context.WithCancel(context.Background())
	defer end()
	server := &http.Server{Handler: v.Handler(addr), ReadHeaderTimeout: 5 * time.Second, BaseContext: func(net.Listener) context.Context { return browsing }}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		end()
		ending, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		stopped <- errors.Join(server.Shutdown(ending), server.Close())
	}()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	if err := <-stopped; err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}
