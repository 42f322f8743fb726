// Receives radhook's events with the standard library alone: verifies, takes each event once, answers.
//
//	WEBHOOK_SECRET=whsec_... go run . 8080
//
// A secret may also be the public key of Ed25519 signatures, whpk_...
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	maxBody    = 4 << 20         // Bytes; an event has a few thousand, a batch of them more.
	tolerance  = 5 * time.Minute // How old a signature may be, or ahead of our clock.
	remembered = 100_000         // Ids. Keep those of as long as radhook tries again: by its default schedule 15 hours.
)

// An event, as far as this program looks at it.
type event struct {
	Type string          `json:"type"`
	Data json.RawMessage `json:"data"`
}

// take is where your program goes. Store the event (a row of your database, a message of your queue) and return: after
// the answer it is yours alone, so work on what you have stored. After an error radhook sends the event again.
func take(event) error { return nil }

// A verifier tells whether a signature of these bytes was made with its secret.
type verifier func(signed []byte, signature string) bool

func newVerifier(secret string) (verifier, error) {
	if strings.HasPrefix(secret, "whpk_") {
		key, err := base64.StdEncoding.DecodeString(secret[len("whpk_"):])
		if err != nil || len(key) != ed25519.PublicKeySize {
			return nil, fmt.Errorf("whpk_ is not followed by a public key of Ed25519")
		}
		return func(signed []byte, signature string) bool {
			if !strings.HasPrefix(signature, "v1a,") {
				return false
			}
			decoded, err := base64.StdEncoding.DecodeString(signature[len("v1a,"):])
			return err == nil && ed25519.Verify(key, signed, decoded)
		}, nil
	}
	key := []byte(secret)
	if strings.HasPrefix(secret, "whsec_") {
		var err error
		if key, err = base64.StdEncoding.DecodeString(secret[len("whsec_"):]); err != nil || len(key) == 0 {
			return nil, fmt.Errorf("whsec_ is not followed by base64")
		}
	}
	return func(signed []byte, signature string) bool {
		mac := hmac.New(sha256.New, key)
		mac.Write(signed)
		ours := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
		return hmac.Equal([]byte(ours), []byte(signature)) // In constant time.
	}, nil
}

// Why a request is not believed.
type refused struct {
	status int
	why    string
}

func (r refused) Error() string { return r.why }

type receiver struct {
	verifiers []verifier
	mutex     sync.Mutex
	ids       map[string]bool
	oldest    []string // The same ids in the order they came, from `next` on around.
	next      int
}

// verify returns the id of a request that was signed with one of our secrets, not long ago (Standard Webhooks).
func (r *receiver) verify(header http.Header, body []byte, now time.Time) (string, error) {
	id, timestamp, signatures := header.Get("webhook-id"), header.Get("webhook-timestamp"), header.Get("webhook-signature")
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if id == "" || err != nil || signatures == "" {
		return "", refused{http.StatusBadRequest, "a webhook- header is missing or malformed"}
	}
	// Over the bytes as they came: JSON that was parsed and written again has others.
	signed := bytes.Join([][]byte{[]byte(id), []byte(timestamp), body}, []byte("."))
	if !r.genuine(signed, strings.Split(signatures, " ")) {
		return "", refused{http.StatusUnauthorized, "no signature matches"}
	}
	if age := now.Sub(time.Unix(seconds, 0)); age > tolerance || age < -tolerance {
		return "", refused{http.StatusUnauthorized, "it was signed too long ago, or a clock is wrong"}
	}
	return id, nil
}

// Several secrets during a rotation, several signatures for the same reason.
func (r *receiver) genuine(signed []byte, signatures []string) bool {
	for _, verifies := range r.verifiers {
		for _, signature := range signatures {
			if verifies(signed, signature) {
				return true
			}
		}
	}
	return false
}

// takeOnce takes an event unless its id is among the last ones.
func (r *receiver) takeOnce(id string, e event) (bool, error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.ids[id] {
		return false, nil
	}
	if err := take(e); err != nil {
		return false, err
	}
	r.ids[id] = true
	if len(r.oldest) < remembered {
		r.oldest = append(r.oldest, id)
	} else {
		delete(r.ids, r.oldest[r.next])
		r.oldest[r.next] = id
		r.next = (r.next + 1) % remembered
	}
	return true, nil
}

func (r *receiver) receive(w http.ResponseWriter, request *http.Request) (kind string, isNew bool, err error) {
	if request.Method != http.MethodPost {
		return "", false, refused{http.StatusMethodNotAllowed, "it is no POST"}
	}
	if request.ContentLength > maxBody {
		return "", false, refused{http.StatusRequestEntityTooLarge, "it is too long"}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, request.Body, maxBody))
	if err != nil {
		return "", false, refused{http.StatusRequestEntityTooLarge, err.Error()}
	}
	id, err := r.verify(request.Header, body, time.Now())
	if err != nil {
		return "", false, err
	}
	var e event
	if err := json.Unmarshal(body, &e); err != nil {
		return "", false, refused{http.StatusBadRequest, "the body is no event: " + err.Error()}
	}
	isNew, err = r.takeOnce(id, e)
	return e.Type, isNew, err
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	kind, isNew, err := r.receive(w, request)
	line := map[string]string{"id": request.Header.Get("webhook-id"), "verdict": "repeat", "type": kind}
	status := http.StatusOK
	if isNew {
		line["verdict"], status = "new", http.StatusNoContent
	}
	if err != nil {
		line["verdict"], line["why"], status = "refused", err.Error(), http.StatusInternalServerError
		if refused, ok := err.(refused); ok {
			status = refused.status
		}
	}
	text, _ := json.Marshal(line)
	fmt.Printf("%s\n", text)
	w.WriteHeader(status)
}

func main() {
	r := &receiver{ids: map[string]bool{}}
	for _, secret := range strings.Fields(os.Getenv("WEBHOOK_SECRET")) {
		verifies, err := newVerifier(secret)
		if err != nil {
			log.Fatal("WEBHOOK_SECRET: ", err)
		}
		r.verifiers = append(r.verifiers, verifies)
	}
	if len(r.verifiers) == 0 {
		log.Fatal("WEBHOOK_SECRET holds no secret")
	}
	port := os.Getenv("PORT")
	if len(os.Args) > 1 {
		port = os.Args[1]
	}
	if port == "" {
		port = "8080"
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("ready", listener.Addr().(*net.TCPAddr).Port)
	server := http.Server{Handler: r, ReadTimeout: 30 * time.Second}
	log.Fatal(server.Serve(listener))
}
