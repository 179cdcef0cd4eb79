// Runs the key schedule of TLS 1.2 with Go's standard library: replace prf by your own.
// `go run run.go ../tls_key_schedule.json`; exit code 1 when a test fails.
package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"log"
	"os"
)

// prf is what is under test: P_hash of RFC 5246 section 5.
func prf(h func() hash.Hash, secret []byte, label string, seed []byte, n int) (out []byte) {
	seed = append([]byte(label), seed...)
	mac := func(data ...byte) []byte {
		m := hmac.New(h, secret)
		m.Write(data)
		return m.Sum(nil)
	}
	for a := mac(seed...); len(out) < n; a = mac(a...) {
		out = append(out, mac(append(append([]byte{}, a...), seed...)...)...)
	}
	return out[:n]
}

func main() {
	var file struct {
		TestGroups []struct{ Tests []map[string]any }
	}
	text, err := os.ReadFile(os.Args[1])
	if err != nil || json.Unmarshal(text, &file) != nil {
		log.Fatal("cannot read the vectors: ", err)
	}
	ran, failed := 0, 0
	hashes := map[any]func() hash.Hash{"SHA256": sha256.New, "SHA384": sha512.New384}
	for _, group := range file.TestGroups {
		for _, test := range group.Tests {
			field := func(name string) []byte {
				text, _ := test[name].(string)
				bytes, err := hex.DecodeString(text)
				if err != nil {
					log.Fatal(name, err)
				}
				return bytes
			}
			h := hashes[test["prf"]]
			if h == nil {
				continue
			}
			label, seed := "master secret", append(field("clientRandom"), field("serverRandom")...)
			if hash := field("sessionHash"); len(hash) > 0 {
				label, seed = "extended master secret", hash
			}
			master, want := prf(h, field("premaster"), label, seed, 48), field("keyBlock")
			seed = append(field("serverRandom"), field("clientRandom")...)
			block := prf(h, master, "key expansion", seed, len(want))
			ran++
			if !bytes.Equal(master, field("masterSecret")) || !bytes.Equal(block, want) {
				failed++
				fmt.Println("failed:", test["tcId"], test["comment"])
			}
		}
	}
	fmt.Printf("run.go: %d tests, %d failed\n", ran, failed)
	if failed > 0 || ran == 0 {
		os.Exit(1)
	}
}
