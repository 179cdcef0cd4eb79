// The Bouncy Castle client of the interoperability matrix, through its own TLS interface.
// README.md describes its input and output.

import java.io.IOException;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.util.Hashtable;
import java.util.HexFormat;
import java.util.Vector;
import org.bouncycastle.tls.CertificateRequest;
import org.bouncycastle.tls.DefaultTlsClient;
import org.bouncycastle.tls.ProtocolVersion;
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

    public static void main(String[] arguments) throws IOException {
        BouncyCastlePeer.start(arguments, BouncyCastleClient::converse);
    }

    private static void converse(Cell cell) throws IOException {
        Client first = new Client(cell, null);
        first.converse();
        new Client(cell, first.session()).converse();
    }

    /** One connection. */
    private static final class Client extends DefaultTlsClient {
        private final Cell cell;
        private final TlsSession resumed;

        Client(Cell cell, TlsSession resumed) {
            super(new BcTlsCrypto(new SecureRandom()));
            this.cell = cell;
            this.resumed = resumed;
        }

        void converse() throws IOException {
            try (Socket socket = new Socket("127.0.0.1", cell.port)) {
                socket.setSoTimeout(Cell.TIMEOUT_MILLISECONDS);
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
            return BouncyCastlePeer.version(cell).only();
        }

        @Override
        protected int[] getSupportedCipherSuites() {
            return new int[] {cell.suite};
        }

        @Override
        protected Vector<Integer> getSupportedGroups(@SuppressWarnings("rawtypes") Vector roles) {
            Vector<Integer> groups = new Vector<>();
            for (int group : cell.groups) {
                groups.add(group);
            }
            return groups;
        }

        /** A public key of the first group only. */
        @Override
        @SuppressWarnings("unchecked")
        public Vector<Integer> getEarlyKeyShareGroups() {
            Vector<Integer> groups = new Vector<>();
            groups.add(cell.groups[0]);
            return groups;
        }

        @Override
        public boolean shouldUseExtendedMasterSecret() {
            return cell.extendedMasterSecret;
        }

        @Override
        public Hashtable<Integer, byte[]> getClientExtensions() throws IOException {
            @SuppressWarnings("unchecked")
            Hashtable<Integer, byte[]> extensions = super.getClientExtensions();
            if (cell.encryptThenMac) {
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
            BouncyCastlePeer.tellMasterSecret(cell, context);
        }

        @Override
        public TlsAuthentication getAuthentication() {
            return new TlsAuthentication() {
                // The other side is a test server with a self-signed certificate.
                @Override
                public void notifyServerCertificate(TlsServerCertificate certificate) {}

                @Override
                public TlsCredentials getClientCredentials(CertificateRequest request)
                    throws IOException {
                    if (cell.client == null) {
                        return null;
                    }
                    BcTlsCrypto crypto = (BcTlsCrypto) context.getCrypto();
                    if (cell.isTls13()) {
                        byte[] asked = request.getCertificateRequestContext();
                        return BouncyCastlePeer.signerOfTls13(
                            context, crypto, cell, cell.client, asked);
                    }
                    Vector<?> offered = request.getSupportedSignatureAlgorithms();
                    return BouncyCastlePeer.signer(context, crypto, cell, cell.client, offered);
                }
            };
        }
    }
}
