// The Bouncy Castle client of the interoperability matrix, through its own TLS interface.
// README.md describes its input and output.

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.util.Hashtable;
import java.util.HexFormat;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.tls.CertificateRequest;
import org.bouncycastle.tls.DefaultTlsClient;
import org.bouncycastle.tls.ProtocolVersion;
import org.bouncycastle.tls.SecurityParameters;
import org.bouncycastle.tls.TlsAuthentication;
import org.bouncycastle.tls.TlsClientProtocol;
import org.bouncycastle.tls.TlsCredentials;
import org.bouncycastle.tls.TlsExtensionsUtils;
import org.bouncycastle.tls.TlsServerCertificate;
import org.bouncycastle.tls.TlsSession;
import org.bouncycastle.tls.crypto.impl.bc.BcTlsCrypto;

final class BouncyCastleClient {
    private static final byte[] REQUEST =
        "GET /session.json HTTP/1.0\r\n\r\n".getBytes(StandardCharsets.US_ASCII);
    private static final int TIMEOUT_MILLISECONDS = 10_000;

    /** Arguments: the port and the certificate, or none to be told the version. */
    public static void main(String[] arguments) throws Exception {
        if (arguments.length == 0) {
            System.out.println(new BouncyCastleProvider().getVersionStr());
            return;
        }
        int port = Integer.parseInt(arguments[0]);
        BufferedReader cells = new BufferedReader(new InputStreamReader(System.in));
        for (String line = cells.readLine(); line != null; line = cells.readLine()) {
            try {
                Client first = new Client(line.split(" "), null);
                first.converse(port);
                new Client(line.split(" "), first.session()).converse(port);
                System.out.println("done");
            } catch (Exception exception) {
                System.out.println("failed " + exception.toString().replace('\n', ' '));
            }
            System.out.flush();
        }
    }

    /** One connection. */
    private static final class Client extends DefaultTlsClient {
        private final ProtocolVersion version;
        private final int suite;
        private final boolean extendedMasterSecret;
        private final boolean encryptThenMac;
        private final TlsSession resumed;

        Client(String[] cell, TlsSession resumed) {
            super(new BcTlsCrypto(new SecureRandom()));
            int code = Integer.parseInt(cell[0], 16);
            this.version = ProtocolVersion.get(code >> 8, code & 0xFF);
            this.suite = Integer.parseInt(cell[1], 16);
            this.extendedMasterSecret = cell[2].equals("1");
            this.encryptThenMac = cell[3].equals("1");
            this.resumed = resumed;
        }

        void converse(int port) throws IOException {
            try (Socket socket = new Socket("127.0.0.1", port)) {
                socket.setSoTimeout(TIMEOUT_MILLISECONDS);
                TlsClientProtocol protocol =
                    new TlsClientProtocol(socket.getInputStream(), socket.getOutputStream());
                protocol.connect(this);
                protocol.getOutputStream().write(REQUEST);
                byte[] answer = protocol.getInputStream().readAllBytes();
                System.out.println("answer " + HexFormat.of().formatHex(answer));
                protocol.close();
            }
        }

        TlsSession session() {
            return context.getSession();
        }

        @Override
        protected ProtocolVersion[] getSupportedVersions() {
            return version.only();
        }

        @Override
        protected int[] getSupportedCipherSuites() {
            return new int[] {suite};
        }

        @Override
        public boolean shouldUseExtendedMasterSecret() {
            return extendedMasterSecret;
        }

        @Override
        public Hashtable<Integer, byte[]> getClientExtensions() throws IOException {
            @SuppressWarnings("unchecked")
            Hashtable<Integer, byte[]> extensions = super.getClientExtensions();
            if (encryptThenMac) {
                TlsExtensionsUtils.addEncryptThenMACExtension(extensions);
            } else {
                extensions.remove(TlsExtensionsUtils.EXT_encrypt_then_mac);
            }
            return extensions;
        }

        @Override
        public boolean allowLegacyResumption() {
            return true;
        }

        @Override
        public TlsSession getSessionToResume() {
            return resumed;
        }

        @Override
        public void notifyHandshakeComplete() throws IOException {
            super.notifyHandshakeComplete();
            SecurityParameters parameters = context.getSecurityParametersConnection();
            byte[] secret =
                context.getCrypto().adoptSecret(parameters.getMasterSecret()).extract();
            HexFormat hex = HexFormat.of();
            System.out.println(
                "secret " + hex.formatHex(parameters.getClientRandom()) + " "
                    + hex.formatHex(secret));
        }

        @Override
        public TlsAuthentication getAuthentication() {
            return new TlsAuthentication() {
                // The other side is a test server with a self-signed certificate.
                @Override
                public void notifyServerCertificate(TlsServerCertificate certificate) {}

                @Override
                public TlsCredentials getClientCredentials(CertificateRequest request) {
                    return null;
                }
            };
        }
    }
}
