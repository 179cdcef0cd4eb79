// What the Java programs of the interoperability matrix share: a line of standard input, and the
// keys and certificates of PEM files. README.md describes the lines.

import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.Arrays;
import java.util.Base64;

final class Cell {
    static final int TIMEOUT_MILLISECONDS = 15_000;

    /** What a program does with a cell. */
    interface Work {
        void run(Cell cell) throws Exception;
    }

    final String directory;
    final int port;
    final int version;
    final int suite;
    final boolean extendedMasterSecret;
    final boolean encryptThenMac;
    final int[] groups;
    /** The identity of the client's certificate, or null. */
    final String client;
    final String resumption;
    final String server;
    /** `key-update`, `early-data` or a dash. */
    final String extra;

    private Cell(String directory, String[] words) {
        this.directory = directory;
        port = Integer.parseInt(words[0]);
        version = Integer.parseInt(words[1], 16);
        suite = Integer.parseInt(words[2], 16);
        extendedMasterSecret = words[3].equals("1");
        encryptThenMac = words[4].equals("1");
        groups =
            Arrays.stream(words[5].split(","))
                .filter(group -> !group.equals("-"))
                .mapToInt(group -> Integer.parseInt(group, 16))
                .toArray();
        client =
            switch (words[6]) {
                case "rsa" -> "client-rsa";
                case "ecdsa" -> "client-p256";
                default -> null;
            };
        resumption = words[7];
        server = words[8];
        extra = words[9];
    }

    /** Runs the cells of standard input. */
    static void runAll(String directory, Work work) throws IOException {
        BufferedReader cells = new BufferedReader(new InputStreamReader(System.in));
        for (String line = cells.readLine(); line != null; line = cells.readLine()) {
            try {
                work.run(new Cell(directory, line.split(" ")));
                System.out.println("done");
            } catch (Exception exception) {
                System.out.println("failed " + exception.toString().replace('\n', ' '));
            }
            System.out.flush();
        }
    }

    /** The number of connections to a server. */
    int connections() {
        return resumption.equals("id") || resumption.equals("ticket") ? 2 : 1;
    }

    boolean isTls13() {
        return version == 0x0304;
    }

    /** Fails for what the Java stacks do not do in TLS 1.3. */
    void checkTls13() {
        if (Arrays.stream(groups).anyMatch(group -> group > 0x11E0)) {
            throw new IllegalArgumentException("no group with ML-KEM");
        }
        if (extra.equals("key-update")) {
            throw new IllegalArgumentException("no KeyUpdate on request");
        }
    }

    X509Certificate certificate(String name) throws Exception {
        try (InputStream file = new FileInputStream(directory + "/" + name + ".cert.pem")) {
            CertificateFactory factory = CertificateFactory.getInstance("X.509");
            return (X509Certificate) factory.generateCertificate(file);
        }
    }

    /** Returns a private key in PKCS#8. */
    byte[] key(String name) throws IOException {
        String text = Files.readString(Path.of(directory, name + ".key.pem"));
        return Base64.getMimeDecoder().decode(text.replaceAll("-----[A-Z ]+-----", ""));
    }

    /** Sends a line back; a client may also close without one. */
    static void echo(InputStream input, OutputStream output) throws IOException {
        byte[] buffer = new byte[16384];
        int length = 0;
        int count = input.read(buffer, 0, buffer.length);
        while (count > 0) {
            length += count;
            if (buffer[length - 1] == '\n') {
                break;
            }
            count = input.read(buffer, length, buffer.length - length);
        }
        output.write(buffer, 0, length);
        output.flush();
    }
}
