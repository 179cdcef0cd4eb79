// The JSSE server of the interoperability matrix: Java's own TLS, which has no encrypt-then-MAC.
// README.md describes its input and output.

import java.net.InetAddress;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLSocket;

final class JsseServer {
    public static void main(String[] arguments) throws Exception {
        JssePeer.start(arguments, JsseServer::converse);
    }

    private static void converse(Cell cell) throws Exception {
        SSLContext context = JssePeer.context(cell, cell.server, cell.client);
        SSLServerSocket listener =
            (SSLServerSocket)
                context
                    .getServerSocketFactory()
                    .createServerSocket(0, 4, InetAddress.getByName("127.0.0.1"));
        try (listener) {
            listener.setSoTimeout(Cell.TIMEOUT_MILLISECONDS);
            listener.setEnabledProtocols(JssePeer.protocols(cell));
            listener.setEnabledCipherSuites(JssePeer.suites(cell));
            listener.setNeedClientAuth(cell.client != null);
            System.out.println("listening " + listener.getLocalPort());
            System.out.flush();
            for (int connection = 0; connection < cell.connections(); connection++) {
                try (SSLSocket socket = (SSLSocket) listener.accept()) {
                    socket.setSoTimeout(Cell.TIMEOUT_MILLISECONDS);
                    socket.startHandshake();
                    JssePeer.tellMasterSecret(cell, socket.getSession());
                    Cell.echo(socket.getInputStream(), socket.getOutputStream());
                }
            }
        }
    }
}
