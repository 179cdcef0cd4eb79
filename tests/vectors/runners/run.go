// Runs the key schedule of TLS 1.2 and DTLS 1.2 with Go's standard library: replace prf by your own.
// `go run run.go [DIR]`; exit code 1 when a test fails.
package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"os"
	"path/filepath"
)

type test struct {
	TcID                                                        int
	Prf, Premaster, ClientRandom, ServerRandom, SessionHash     string
	MasterSecret, KeyBlock, Messages                            string
	ClientFinished, ClientVerifyData, ServerVerifyData, Comment string
}

// prf is what is under test: P_hash of RFC 5246 section 5, as many bytes as want has.
func prf(h func() hash.Hash, secret []byte, label string, seed []byte, want string) bool {
	seed = append([]byte(label), seed...)
	mac := func(parts ...[]byte) []byte {
		m := hmac.New(h, secret)
		for _, part := range parts {
			m.Write(part)
		}
		return m.Sum(nil)
	}
	var out []byte
	for a := mac(seed); len(out) < len(want)/2; a = mac(a) {
		out = append(out, mac(a, seed)...)
	}
	return hex.EncodeToString(out[:len(want)/2]) == want
}

func unhex(text string) []byte {
	bytes, err := hex.DecodeString(text)
	if err != nil {
		panic(err)
	}
	return bytes
}

func passes(h func() hash.Hash, t test) bool {
	hashed := func(messages string) []byte {
		sum := h()
		sum.Write(unhex(messages))
		return sum.Sum(nil)
	}
	label, seed, master := "master secret", t.ClientRandom+t.ServerRandom, unhex(t.MasterSecret)
	if t.SessionHash != "" {
		label, seed = "extended master secret", t.SessionHash
	}
	all := t.Messages + t.ClientFinished
	return prf(h, unhex(t.Premaster), label, unhex(seed), t.MasterSecret) &&
		prf(h, master, "key expansion", unhex(t.ServerRandom+t.ClientRandom), t.KeyBlock) &&
		prf(h, master, "client finished", hashed(t.Messages), t.ClientVerifyData) &&
		prf(h, master, "server finished", hashed(all), t.ServerVerifyData)
}

func main() {
	folder := ".."
	if len(os.Args) > 1 {
		folder = os.Args[1]
	}
	text, err := os.ReadFile(filepath.Join(folder, "tls_key_schedule.json"))
	if err != nil {
		panic(err)
	}
	var file struct{ TestGroups []struct{ Tests []test } }
	if err := json.Unmarshal(text, &file); err != nil {
		panic(err)
	}
	ran, failed := 0, 0
	hashes := map[string]func() hash.Hash{"SHA256": sha256.New, "SHA384": sha512.New384}
	for _, group := range file.TestGroups {
		for _, t := range group.Tests {
			if h, known := hashes[t.Prf]; known {
				ran++
				if !passes(h, t) {
					failed++
					fmt.Printf("tcId %d: %s\n", t.TcID, t.Comment)
				}
			}
		}
	}
	fmt.Printf("run.go: %d tests, %d failed\n", ran, failed)
	if failed > 0 || ran == 0 {
		os.Exit(1)
	}
}
