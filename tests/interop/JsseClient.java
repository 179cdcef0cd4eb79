// The JSSE client of the interoperability matrix: Java's own TLS, which has no encrypt-then-MAC.
// README.md describes its input and output. The extended master secret is a property of the
// process, jdk.tls.useExtendedMasterSecret; a cell that asks otherwise fails.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.security.Security;
import java.security.cert.X509Certificate;
import java.util.HexFormat;
import javax.crypto.SecretKey;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManager;
import javax.net.ssl.X509TrustManager;

final class JsseClient {
    private static final byte[] REQUEST =
        "GET /session.json HTTP/1.0\r\n\r\n".getBytes(StandardCharsets.US_ASCII);
    private static final int TIMEOUT_MILLISECONDS = 10_000;

    /** Arguments: the port and the certificate, or none to be told the version. */
    public static void main(String[] arguments) throws Exception {
        if (arguments.length == 0) {
            System.out.println(System.getProperty("java.version"));
            return;
        }
        // The protocols and ciphers of interest are all on Java's list of those it disables.
        Security.setProperty("jdk.tls.disabledAlgorithms", "");
        Security.setProperty("jdk.certpath.disabledAlgorithms", "");
        System.setProperty("jdk.tls.client.enableSessionTicketExtension", "false");
        int port = Integer.parseInt(arguments[0]);
        BufferedReader cells = new BufferedReader(new InputStreamReader(System.in));
        for (String line = cells.readLine(); line != null; line = cells.readLine()) {
            try {
                String[] cell = line.split(" ");
                converse(port, Integer.parseInt(cell[0], 16), Integer.parseInt(cell[1], 16));
                System.out.println("done");
            } catch (Exception exception) {
                System.out.println("failed " + exception.toString().replace('\n', ' '));
            }
            System.out.flush();
        }
    }

    private static void converse(int port, int version, int suite) throws Exception {
        // A context of its own, so that only the second connection finds a session.
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, new TrustManager[] {new TrustAll()}, new SecureRandom());
        for (int connection = 0; connection < 2; connection++) {
            SSLSocket socket =
                (SSLSocket) context.getSocketFactory().createSocket("127.0.0.1", port);
            try (socket) {
                socket.setSoTimeout(TIMEOUT_MILLISECONDS);
                socket.setEnabledProtocols(new String[] {protocol(version)});
                socket.setEnabledCipherSuites(new String[] {name(suite)});
                socket.startHandshake();
                tellMasterSecret(socket);
                socket.getOutputStream().write(REQUEST);
                byte[] answer = socket.getInputStream().readAllBytes();
                System.out.println("answer " + HexFormat.of().formatHex(answer));
            }
        }
    }

    /** Java keeps the client random to itself. */
    private static void tellMasterSecret(SSLSocket socket) throws Exception {
        Object session = socket.getSession();
        Method method = session.getClass().getDeclaredMethod("getMasterSecret");
        method.setAccessible(true);
        SecretKey secret = (SecretKey) method.invoke(session);
        System.out.println("secret - " + HexFormat.of().formatHex(secret.getEncoded()));
    }

    private static String protocol(int version) {
        return switch (version) {
            case 0x0300 -> "SSLv3";
            case 0x0301 -> "TLSv1";
            case 0x0302 -> "TLSv1.1";
            case 0x0303 -> "TLSv1.2";
            default -> throw new IllegalArgumentException("version " + version);
        };
    }

    private static String name(int suite) {
        return switch (suite) {
            case 0x0001 -> "SSL_RSA_WITH_NULL_MD5";
            case 0x0002 -> "SSL_RSA_WITH_NULL_SHA";
            case 0x0004 -> "SSL_RSA_WITH_RC4_128_MD5";
            case 0x0005 -> "SSL_RSA_WITH_RC4_128_SHA";
            case 0x0009 -> "SSL_RSA_WITH_DES_CBC_SHA";
            case 0x000A -> "SSL_RSA_WITH_3DES_EDE_CBC_SHA";
            case 0x002F -> "TLS_RSA_WITH_AES_128_CBC_SHA";
            case 0x0035 -> "TLS_RSA_WITH_AES_256_CBC_SHA";
            case 0x003B -> "TLS_RSA_WITH_NULL_SHA256";
            case 0x003C -> "TLS_RSA_WITH_AES_128_CBC_SHA256";
            case 0x003D -> "TLS_RSA_WITH_AES_256_CBC_SHA256";
            case 0x009C -> "TLS_RSA_WITH_AES_128_GCM_SHA256";
            case 0x009D -> "TLS_RSA_WITH_AES_256_GCM_SHA384";
            default -> throw new IllegalArgumentException("no suite " + suite + " in JSSE");
        };
    }

    /** The other side is a test server with a self-signed certificate. */
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
