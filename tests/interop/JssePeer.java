// What the JSSE client and the JSSE server share: a context with keys, names of suites, secrets.
// The extended master secret and the groups are properties of the process, which xtask sets.

import java.lang.reflect.Method;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.SecureRandom;
import java.security.Security;
import java.security.cert.Certificate;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.HexFormat;
import java.util.Map;
import javax.crypto.SecretKey;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSession;
import javax.net.ssl.TrustManager;
import javax.net.ssl.X509TrustManager;

final class JssePeer {
    private static final Map<Integer, String> SUITES =
        Map.ofEntries(
            Map.entry(0x1301, "TLS_AES_128_GCM_SHA256"),
            Map.entry(0x1302, "TLS_AES_256_GCM_SHA384"),
            Map.entry(0x1303, "TLS_CHACHA20_POLY1305_SHA256"),
            Map.entry(0x0001, "SSL_RSA_WITH_NULL_MD5"),
            Map.entry(0x0002, "SSL_RSA_WITH_NULL_SHA"),
            Map.entry(0x0004, "SSL_RSA_WITH_RC4_128_MD5"),
            Map.entry(0x0005, "SSL_RSA_WITH_RC4_128_SHA"),
            Map.entry(0x0009, "SSL_RSA_WITH_DES_CBC_SHA"),
            Map.entry(0x000A, "SSL_RSA_WITH_3DES_EDE_CBC_SHA"),
            Map.entry(0x002F, "TLS_RSA_WITH_AES_128_CBC_SHA"),
            Map.entry(0x0033, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA"),
            Map.entry(0x0035, "TLS_RSA_WITH_AES_256_CBC_SHA"),
            Map.entry(0x0039, "TLS_DHE_RSA_WITH_AES_256_CBC_SHA"),
            Map.entry(0x003B, "TLS_RSA_WITH_NULL_SHA256"),
            Map.entry(0x003C, "TLS_RSA_WITH_AES_128_CBC_SHA256"),
            Map.entry(0x003D, "TLS_RSA_WITH_AES_256_CBC_SHA256"),
            Map.entry(0x009C, "TLS_RSA_WITH_AES_128_GCM_SHA256"),
            Map.entry(0x009D, "TLS_RSA_WITH_AES_256_GCM_SHA384"),
            Map.entry(0x009E, "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256"),
            Map.entry(0x009F, "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384"),
            Map.entry(0xC009, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA"),
            Map.entry(0xC00A, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA"),
            Map.entry(0xC013, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"),
            Map.entry(0xC014, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA"),
            Map.entry(0xC023, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256"),
            Map.entry(0xC024, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384"),
            Map.entry(0xC027, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256"),
            Map.entry(0xC028, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384"),
            Map.entry(0xC02B, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
            Map.entry(0xC02C, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"),
            Map.entry(0xC02F, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"),
            Map.entry(0xC030, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"),
            Map.entry(0xCCA8, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"),
            Map.entry(0xCCA9, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"),
            Map.entry(0xCCAA, "TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256"));

    private JssePeer() {}

    /** Runs cells. Argument: the directory of the identities, or none to be told the version. */
    static void start(String[] arguments, Cell.Work work) throws Exception {
        if (arguments.length == 0) {
            System.out.println(System.getProperty("java.version"));
            return;
        }
        // The protocols and ciphers of interest are all on Java's list of those it disables.
        Security.setProperty("jdk.tls.disabledAlgorithms", "");
        Security.setProperty("jdk.certpath.disabledAlgorithms", "");
        Cell.runAll(arguments[0], work);
    }

    /** A context of its own for each cell, so that only its second connection finds a session. */
    static SSLContext context(Cell cell, String own, String expected) throws Exception {
        cell.checkTls13();
        String tickets = Boolean.toString(cell.resumption.equals("ticket"));
        System.setProperty("jdk.tls.client.enableSessionTicketExtension", tickets);
        System.setProperty("jdk.tls.server.enableSessionTicketExtension", tickets);
        SSLContext context = SSLContext.getInstance("TLS");
        X509Certificate trusted = expected == null ? null : cell.certificate(expected);
        TrustManager[] trust = {new TrustOne(trusted)};
        context.init(own == null ? null : keys(cell, own), trust, new SecureRandom());
        return context;
    }

    private static KeyManager[] keys(Cell cell, String name) throws Exception {
        X509Certificate certificate = cell.certificate(name);
        KeyFactory factory = KeyFactory.getInstance(certificate.getPublicKey().getAlgorithm());
        PrivateKey key = factory.generatePrivate(new PKCS8EncodedKeySpec(cell.key(name)));
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        store.setKeyEntry("own", key, new char[0], new Certificate[] {certificate});
        KeyManagerFactory managers = KeyManagerFactory.getInstance("SunX509");
        managers.init(store, new char[0]);
        return managers.getKeyManagers();
    }

    /** Java keeps the client random to itself, and in TLS 1.3 every secret but one. */
    static void tellMasterSecret(Cell cell, SSLSession session) throws Exception {
        if (cell.isTls13()) {
            return;
        }
        Method method = session.getClass().getDeclaredMethod("getMasterSecret");
        method.setAccessible(true);
        SecretKey secret = (SecretKey) method.invoke(session);
        System.out.println("secret - " + HexFormat.of().formatHex(secret.getEncoded()));
    }

    static String[] protocols(Cell cell) {
        String name =
            switch (cell.version) {
                case 0x0300 -> "SSLv3";
                case 0x0301 -> "TLSv1";
                case 0x0302 -> "TLSv1.1";
                case 0x0303 -> "TLSv1.2";
                case 0x0304 -> "TLSv1.3";
                default -> throw new IllegalArgumentException("version " + cell.version);
            };
        return new String[] {name};
    }

    static String[] suites(Cell cell) {
        String name = SUITES.get(cell.suite);
        if (name == null) {
            throw new IllegalArgumentException("no suite " + cell.suite + " in JSSE");
        }
        return new String[] {name};
    }

    /** Trusts one certificate of clients, and every server. */
    private record TrustOne(X509Certificate trusted) implements X509TrustManager {
        @Override
        public void checkClientTrusted(X509Certificate[] chain, String type)
            throws CertificateException {
            if (!chain[0].equals(trusted)) {
                throw new CertificateException("not the certificate of the cell");
            }
        }

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String type) {}

        @Override
        public X509Certificate[] getAcceptedIssuers() {
            return new X509Certificate[0];
        }
    }
}
