// The Go client of the interoperability matrix: crypto/tls, which has neither the extended master
// secret for RSA suites nor encrypt-then-MAC, and resumes by tickets only.
// README.md describes its input and output.
package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"
)

const (
	request = "GET /session.json HTTP/1.0\r\n\r\n"
	timeout = 10 * time.Second
)

func main() {
	// Arguments: the port and the certificate, or none to be told the version.
	if len(os.Args) < 2 {
		fmt.Println(strings.TrimPrefix(runtime.Version(), "go"))
		return
	}
	cells := bufio.NewScanner(os.Stdin)
	for cells.Scan() {
		if err := converse(os.Args[1], cells.Text()); err != nil {
			fmt.Println("failed", strings.ReplaceAll(err.Error(), "\n", " "))
		} else {
			fmt.Println("done")
		}
	}
}

func converse(port, cell string) error {
	var version, suite uint16
	if _, err := fmt.Sscanf(cell, "%x %x", &version, &suite); err != nil {
		return err
	}
	// Go offers TLS 1.2 when told of SSL 3.0, which it no longer has.
	if version < tls.VersionTLS10 {
		return fmt.Errorf("no version %#x", version)
	}
	var keyLog bytes.Buffer
	config := &tls.Config{
		InsecureSkipVerify: true,
		MinVersion:         version,
		MaxVersion:         version,
		CipherSuites:       []uint16{suite},
		ClientSessionCache: tls.NewLRUClientSessionCache(1),
		KeyLogWriter:       &keyLog,
	}
	for connection := 0; connection < 2; connection++ {
		answer, err := ask("127.0.0.1:"+port, config)
		if err != nil {
			return err
		}
		fmt.Printf("answer %x\n", answer)
	}
	for _, line := range strings.Split(strings.TrimSpace(keyLog.String()), "\n") {
		fmt.Println("secret", strings.TrimPrefix(line, "CLIENT_RANDOM "))
	}
	return nil
}

func ask(address string, config *tls.Config) ([]byte, error) {
	connection, err := tls.Dial("tcp", address, config)
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	if err := connection.SetDeadline(time.Now().Add(timeout)); err != nil {
		return nil, err
	}
	if _, err := io.WriteString(connection, request); err != nil {
		return nil, err
	}
	return io.ReadAll(connection)
}
