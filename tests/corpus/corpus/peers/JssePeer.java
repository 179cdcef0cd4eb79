// One TLS session of Java's own stack (JSSE), as client or server, for jsse.py.
// Prints `MASTER_SECRET <hex>` when the handshake is done.

import java.io.InputStream;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.SecureRandom;
import java.security.Security;
import java.security.cert.X509Certificate;
import java.util.HexFormat;
import javax.crypto.SecretKey;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLSession;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManager;
import javax.net.ssl.X509TrustManager;

final class JssePeer {
    private static final byte[] REQUEST =
        "GET / HTTP/1.1\r\nHost: server.test\r\n\r\n".getBytes(StandardCharsets.US_ASCII);
    private static final byte[] RESPONSE =
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".getBytes(StandardCharsets.US_ASCII);

    /** Arguments: client or server, port, protocols and suites with commas, key file, password. */
    public static void main(String[] arguments) throws Exception {
        // The protocols and ciphers of interest are all on Java's list of those it disables.
        Security.setProperty("jdk.tls.disabledAlgorithms", "");
        Security.setProperty("jdk.certpath.disabledAlgorithms", "");
        int port = Integer.parseInt(arguments[1]);
        String[] protocols = arguments[2].split(",");
        String[] suites = arguments[3].split(",");
        SSLContext context = context(Path.of(arguments[4]), arguments[5].toCharArray());
        if (arguments[0].equals("client")) {
            SSLSocket socket =
                    (SSLSocket) context.getSocketFactory().createSocket("127.0.0.1", port);
            serve(socket, protocols, suites, true);
        } else {
            try (SSLServerSocket listener =
                    (SSLServerSocket) context.getServerSocketFactory().createServerSocket(port)) {
                serve((SSLSocket) listener.accept(), protocols, suites, false);
            }
        }
    }

    private static void serve(SSLSocket socket, String[] protocols, String[] suites, boolean client)
            throws Exception {
        socket.setEnabledProtocols(protocols);
        socket.setEnabledCipherSuites(suites);
        socket.startHandshake();
        tellMasterSecret(socket.getSession());
        byte[] buffer = new byte[4096];
        InputStream in = socket.getInputStream();
        if (client) {
            socket.getOutputStream().write(REQUEST);
            in.read(buffer);
        } else {
            in.read(buffer);
            socket.getOutputStream().write(RESPONSE);
        }
        socket.close();
    }

    private static void tellMasterSecret(SSLSession session) throws Exception {
        Method method = session.getClass().getDeclaredMethod("getMasterSecret");
        method.setAccessible(true);
        SecretKey secret = (SecretKey) method.invoke(session);
        System.out.println("MASTER_SECRET " + HexFormat.of().formatHex(secret.getEncoded()));
        System.out.flush();
    }

    private static SSLContext context(Path keyFile, char[] password) throws Exception {
        KeyStore store = KeyStore.getInstance("PKCS12");
        try (InputStream in = Files.newInputStream(keyFile)) {
            store.load(in, password);
        }
        KeyManagerFactory keys = KeyManagerFactory.getInstance("PKIX");
        keys.init(store, password);
        SSLContext context = SSLContext.getInstance("TLS");
        TrustManager[] trust = {new TrustAll()};
        context.init(keys.getKeyManagers(), trust, new SecureRandom());
        return context;
    }

    /** The other side is a test peer with a self-signed certificate. */
    private static final class TrustAll implements X509TrustManager {
        @Override
        public void checkClientTrusted(X509Certificate[] chain, String type) {}

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String type) {}

        @Override
        public X509Certificate[] getAcceptedIssuers() {
            return new X509Certificate[0];
        }
    }
}
