// The JSSE client of the interoperability matrix: Java's own TLS, which has no encrypt-then-MAC.
// README.md describes its input and output.

import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;

final class JsseClient {
    private static final byte[] REQUEST =
        "GET /session.json HTTP/1.0\r\n\r\n".getBytes(StandardCharsets.US_ASCII);

    public static void main(String[] arguments) throws Exception {
        JssePeer.start(arguments, JsseClient::converse);
    }

    private static void converse(Cell cell) throws Exception {
        SSLContext context = JssePeer.context(cell, cell.client, null);
        for (int connection = 0; connection < 2; connection++) {
            SSLSocket socket =
                (SSLSocket) context.getSocketFactory().createSocket("127.0.0.1", cell.port);
            try (socket) {
                socket.setSoTimeout(Cell.TIMEOUT_MILLISECONDS);
                socket.setEnabledProtocols(JssePeer.protocols(cell));
                socket.setEnabledCipherSuites(JssePeer.suites(cell));
                socket.startHandshake();
                JssePeer.tellMasterSecret(cell, socket.getSession());
                socket.getOutputStream().write(REQUEST);
                byte[] answer = socket.getInputStream().readAllBytes();
                System.out.println("answer " + HexFormat.of().formatHex(answer));
            }
        }
    }
}
