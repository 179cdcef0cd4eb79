// The Go server of the interoperability matrix: crypto/tls, which has neither the extended master
// secret nor encrypt-then-MAC, and resumes by tickets only.
// README.md describes its input and output.
package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

const timeout = 15 * time.Second

func main() {
	// Argument: the directory of the identities, or none to be told the version.
	if len(os.Args) < 2 {
		fmt.Println(strings.TrimPrefix(runtime.Version(), "go"))
		return
	}
	cells := bufio.NewScanner(os.Stdin)
	for cells.Scan() {
		if err := serve(os.Args[1], strings.Fields(cells.Text())); err != nil {
			fmt.Println("failed", strings.ReplaceAll(err.Error(), "\n", " "))
		} else {
			fmt.Println("done")
		}
	}
}

func serve(directory string, cell []string) error {
	var keyLog bytes.Buffer
	config, err := configure(directory, cell)
	if err != nil {
		return err
	}
	config.KeyLogWriter = &keyLog
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer listener.Close()
	fmt.Println("listening", listener.Addr().(*net.TCPAddr).Port)
	connections := 2
	if cell[7] == "none" || cell[7] == "psk" {
		connections = 1
	}
	for ; connections > 0; connections-- {
		if err := listener.(*net.TCPListener).SetDeadline(time.Now().Add(timeout)); err != nil {
			return err
		}
		connection, err := listener.Accept()
		if err != nil {
			return err
		}
		exports := config.MinVersion == tls.VersionTLS13
		if err := reply(tls.Server(connection, config), exports); err != nil {
			return err
		}
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

func configure(directory string, cell []string) (*tls.Config, error) {
	version, err := strconv.ParseUint(cell[1], 16, 16)
	if err != nil {
		return nil, err
	}
	suite, err := strconv.ParseUint(cell[2], 16, 16)
	if err != nil {
		return nil, err
	}
	// Go has the first three of TLS 1.3, whatever it is told.
	if version == tls.VersionTLS13 && suite > uint64(tls.TLS_CHACHA20_POLY1305_SHA256) {
		return nil, fmt.Errorf("no suite %#x", suite)
	}
	if cell[9] == "key-update" {
		return nil, fmt.Errorf("no KeyUpdate on request")
	}
	base := directory + "/" + cell[8]
	certificate, err := tls.LoadX509KeyPair(base+".cert.pem", base+".key.pem")
	if err != nil {
		return nil, err
	}
	config := &tls.Config{
		Certificates:           []tls.Certificate{certificate},
		MinVersion:             uint16(version),
		MaxVersion:             uint16(version),
		CipherSuites:           []uint16{uint16(suite)},
		SessionTicketsDisabled: cell[7] == "id",
	}
	// Only the first group is for ephemeral keys.
	if number, err := strconv.ParseUint(strings.Split(cell[5], ",")[0], 16, 16); err == nil {
		if version == tls.VersionTLS13 && (number < 23 || number > 25) && number != 29 {
			return nil, fmt.Errorf("no group %#x", number)
		}
		config.CurvePreferences = []tls.CurveID{tls.CurveID(number)}
	}
	if name := map[string]string{"rsa": "client-rsa", "ecdsa": "client-p256"}[cell[6]]; name != "" {
		pem, err := os.ReadFile(directory + "/" + name + ".cert.pem")
		if err != nil {
			return nil, err
		}
		config.ClientCAs = x509.NewCertPool()
		config.ClientCAs.AppendCertsFromPEM(pem)
		config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return config, nil
}

// Sends a line back; a client may also close without one.
func reply(connection *tls.Conn, exports bool) error {
	defer connection.Close()
	if err := connection.SetDeadline(time.Now().Add(timeout)); err != nil {
		return err
	}
	if exports {
		if err := connection.Handshake(); err != nil {
			return err
		}
		state := connection.ConnectionState()
		material, err := state.ExportKeyingMaterial("EXPERIMENTAL-interop", nil, 32)
		if err != nil {
			return err
		}
		fmt.Printf("export %x\n", material)
	}
	line, err := bufio.NewReader(connection).ReadString('\n')
	if err != nil && err != io.EOF {
		return err
	}
	_, err = io.WriteString(connection, line)
	return err
}
