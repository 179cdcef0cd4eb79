// Runs the master secrets of TLS 1.2 with Go's standard library: replace prf by your own.
// `go run run.go ../tls_key_schedule.json`; exit code 1 when a test fails.
package main

import (
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

// prf is what is under test: 48 bytes of P_hash of RFC 5246 section 5.
func prf(h func() hash.Hash, secret, seed string) string {
	mac := func(data string) string {
		m := hmac.New(h, []byte(secret))
		m.Write([]byte(data))
		return string(m.Sum(nil))
	}
	a := mac(seed)
	return (mac(a+seed) + mac(mac(a)+seed))[:48]
}

func main() {
	var file struct {
		TestGroups []struct{ Tests []map[string]any }
	}
	text, err := os.ReadFile(os.Args[1])
	if err != nil || json.Unmarshal(text, &file) != nil {
		log.Fatal("cannot read the vectors in ", os.Args[1])
	}
	hashes := map[any]func() hash.Hash{"SHA256": sha256.New, "SHA384": sha512.New384}
	ran, failed := 0, 0
	for _, group := range file.TestGroups {
		for _, test := range group.Tests {
			field := func(name string) string {
				bytes, _ := hex.DecodeString(fmt.Sprint(test[name]))
				return string(bytes)
			}
			seed := "master secret" + field("clientRandom") + field("serverRandom")
			if test["sessionHash"] != nil {
				seed = "extended master secret" + field("sessionHash")
			}
			if h := hashes[test["prf"]]; h != nil {
				ran++
				if prf(h, field("premaster"), seed) != field("masterSecret") {
					failed++
					fmt.Println("failed:", test["tcId"], test["comment"])
				}
			}
		}
	}
	fmt.Printf("run.go: %d tests, %d failed\n", ran, failed)
	if failed > 0 || ran == 0 {
		os.Exit(1)
	}
}
