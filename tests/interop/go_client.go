// The Go client of the interoperability matrix: crypto/tls, which has neither the extended master
// secret nor encrypt-then-MAC, and resumes by tickets only.
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
	"strconv"
	"strings"
	"time"
)

const (
	request = "GET /session.json HTTP/1.0\r\n\r\n"
	timeout = 10 * time.Second
)

func main() {
	// Argument: the directory of the identities, or none to be told the version.
	if len(os.Args) < 2 {
		fmt.Println(strings.TrimPrefix(runtime.Version(), "go"))
		return
	}
	cells := bufio.NewScanner(os.Stdin)
	for cells.Scan() {
		if err := converse(os.Args[1], strings.Fields(cells.Text())); err != nil {
			fmt.Println("failed", strings.ReplaceAll(err.Error(), "\n", " "))
		} else {
			fmt.Println("done")
		}
	}
}

func converse(directory string, cell []string) error {
	version, err := strconv.ParseUint(cell[1], 16, 16)
	if err != nil {
		return err
	}
	suite, err := strconv.ParseUint(cell[2], 16, 16)
	if err != nil {
		return err
	}
	// Go offers TLS 1.2 when told of SSL 3.0, which it no longer has.
	if version < tls.VersionTLS10 {
		return fmt.Errorf("no version %#x", version)
	}
	// Go offers its own suites when told of none that it knows.
	if !knows(uint16(suite)) {
		return fmt.Errorf("no suite %#x", suite)
	}
	if cell[9] == "key-update" {
		return fmt.Errorf("no KeyUpdate on request")
	}
	var keyLog bytes.Buffer
	config := &tls.Config{
		InsecureSkipVerify:     true,
		MinVersion:             uint16(version),
		MaxVersion:             uint16(version),
		CipherSuites:           []uint16{uint16(suite)},
		ClientSessionCache:     tls.NewLRUClientSessionCache(1),
		SessionTicketsDisabled: cell[7] != "ticket",
		KeyLogWriter:           &keyLog,
	}
	for _, group := range strings.Split(strings.Trim(cell[5], "-"), ",") {
		if number, err := strconv.ParseUint(group, 16, 16); err == nil {
			if !hasGroup(number) {
				return fmt.Errorf("no group %#x", number)
			}
			config.CurvePreferences = append(config.CurvePreferences, tls.CurveID(number))
		}
	}
	if name := map[string]string{"rsa": "client-rsa", "ecdsa": "client-p256"}[cell[6]]; name != "" {
		base := directory + "/" + name
		certificate, err := tls.LoadX509KeyPair(base+".cert.pem", base+".key.pem")
		if err != nil {
			return err
		}
		config.Certificates = []tls.Certificate{certificate}
	}
	for connection := 0; connection < 2; connection++ {
		answer, err := ask("127.0.0.1:"+cell[0], config, version == tls.VersionTLS13)
		if err != nil {
			return err
		}
		fmt.Printf("answer %x\n", answer)
	}
	for _, line := range strings.Split(strings.TrimSpace(keyLog.String()), "\n") {
		if rest := strings.TrimPrefix(line, "CLIENT_RANDOM "); rest != line {
			fmt.Println("secret", rest)
		} else if line != "" {
			fmt.Println("log", line)
		}
	}
	return nil
}

func hasGroup(number uint64) bool {
	return number >= 23 && number <= 25 || number == 29
}

func knows(suite uint16) bool {
	for _, known := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		if known.ID == suite {
			return true
		}
	}
	return false
}

func ask(address string, config *tls.Config, exports bool) ([]byte, error) {
	connection, err := tls.Dial("tcp", address, config)
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	if err := connection.SetDeadline(time.Now().Add(timeout)); err != nil {
		return nil, err
	}
	if exports {
		state := connection.ConnectionState()
		material, err := state.ExportKeyingMaterial("EXPERIMENTAL-interop", nil, 32)
		if err != nil {
			return nil, err
		}
		fmt.Printf("export %x\n", material)
	}
	if _, err := io.WriteString(connection, request); err != nil {
		return nil, err
	}
	return io.ReadAll(connection)
}
