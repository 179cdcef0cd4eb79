// The Bouncy Castle server of the interoperability matrix, through its own TLS interface.
// README.md describes its input and output.

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.security.SecureRandom;
import java.util.Arrays;
import java.util.Vector;
import org.bouncycastle.tls.AlertDescription;
import org.bouncycastle.tls.Certificate;
import org.bouncycastle.tls.CertificateRequest;
import org.bouncycastle.tls.ClientCertificateType;
import org.bouncycastle.tls.DefaultTlsServer;
import org.bouncycastle.tls.ProtocolVersion;
import org.bouncycastle.tls.TlsCredentialedDecryptor;
import org.bouncycastle.tls.TlsCredentialedSigner;
import org.bouncycastle.tls.TlsCredentials;
import org.bouncycastle.tls.TlsFatalAlert;
import org.bouncycastle.tls.TlsServerProtocol;
import org.bouncycastle.tls.TlsSession;
import org.bouncycastle.tls.TlsUtils;
import org.bouncycastle.tls.crypto.impl.bc.BcDefaultTlsCredentialedDecryptor;
import org.bouncycastle.tls.crypto.impl.bc.BcTlsCrypto;

final class BouncyCastleServer {
    public static void main(String[] arguments) throws IOException {
        BouncyCastlePeer.start(arguments, BouncyCastleServer::converse);
    }

    private static void converse(Cell cell) throws IOException {
        InetAddress address = InetAddress.getByName("127.0.0.1");
        try (ServerSocket listener = new ServerSocket(0, 4, address)) {
            listener.setSoTimeout(Cell.TIMEOUT_MILLISECONDS);
            System.out.println("listening " + listener.getLocalPort());
            System.out.flush();
            TlsSession session = null;
            for (int connection = 0; connection < cell.connections(); connection++) {
                try (Socket socket = listener.accept()) {
                    socket.setSoTimeout(Cell.TIMEOUT_MILLISECONDS);
                    Server server = new Server(cell, session);
                    server.serve(socket);
                    session = server.session();
                }
            }
        }
    }

    /** One connection. */
    private static final class Server extends DefaultTlsServer {
        private final Cell cell;
        private final BcTlsCrypto crypto;
        private final TlsSession earlier;

        private Server(Cell cell, TlsSession earlier) {
            this(cell, earlier, new BcTlsCrypto(new SecureRandom()));
        }

        private Server(Cell cell, TlsSession earlier, BcTlsCrypto crypto) {
            super(crypto);
            this.cell = cell;
            this.crypto = crypto;
            this.earlier = earlier;
        }

        void serve(Socket socket) throws IOException {
            TlsServerProtocol protocol =
                new TlsServerProtocol(socket.getInputStream(), socket.getOutputStream());
            protocol.accept(this);
            Cell.echo(protocol.getInputStream(), protocol.getOutputStream());
            protocol.close();
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

        /** Only the first group is for ephemeral keys. */
        @Override
        public int[] getSupportedGroups() {
            return Arrays.copyOf(cell.groups, Math.min(1, cell.groups.length));
        }

        /** For clients of SSL 3.0, which list no groups. */
        @Override
        protected int selectDHDefault(int minimumBits) {
            return cell.groups[0];
        }

        @Override
        public boolean shouldUseExtendedMasterSecret() {
            return cell.extendedMasterSecret;
        }

        @Override
        protected boolean allowEncryptThenMAC() {
            return cell.encryptThenMac;
        }

        @Override
        public byte[] getNewSessionID() {
            byte[] id = new byte[32];
            new SecureRandom().nextBytes(id);
            return id;
        }

        @Override
        public TlsSession getSessionToResume(byte[] id) {
            return earlier != null && Arrays.equals(id, earlier.getSessionID()) ? earlier : null;
        }

        @Override
        public TlsCredentials getCredentials() throws IOException {
            if (cell.isTls13()) {
                return BouncyCastlePeer.signerOfTls13(
                    context, crypto, cell, cell.server, TlsUtils.EMPTY_BYTES);
            }
            return super.getCredentials();
        }

        @Override
        protected TlsCredentialedDecryptor getRSAEncryptionCredentials() throws IOException {
            Certificate certificate = BouncyCastlePeer.certificate(crypto, cell, cell.server);
            return new BcDefaultTlsCredentialedDecryptor(
                crypto, certificate, BouncyCastlePeer.key(cell, cell.server));
        }

        @Override
        protected TlsCredentialedSigner getRSASignerCredentials() throws IOException {
            return signer();
        }

        @Override
        protected TlsCredentialedSigner getECDSASignerCredentials() throws IOException {
            return signer();
        }

        private TlsCredentialedSigner signer() throws IOException {
            Vector<?> offered =
                context.getSecurityParametersHandshake().getClientSigAlgs();
            return BouncyCastlePeer.signer(context, crypto, cell, cell.server, offered);
        }

        @Override
        public CertificateRequest getCertificateRequest() throws IOException {
            if (cell.client == null) {
                return null;
            }
            if (cell.isTls13()) {
                Vector<?> schemes = TlsUtils.getDefaultSupportedSignatureAlgorithms(context);
                return new CertificateRequest(TlsUtils.EMPTY_BYTES, schemes, null, null);
            }
            short[] types = {ClientCertificateType.rsa_sign, ClientCertificateType.ecdsa_sign};
            Vector<?> schemes =
                TlsUtils.isTLSv12(context)
                    ? TlsUtils.getDefaultSupportedSignatureAlgorithms(context)
                    : null;
            return new CertificateRequest(types, schemes, new Vector<>());
        }

        @Override
        public void notifyClientCertificate(Certificate certificate) throws IOException {
            boolean same =
                !certificate.isEmpty()
                    && Arrays.equals(
                        certificate.getCertificateAt(0).getEncoded(),
                        BouncyCastlePeer.der(cell, cell.client));
            if (!same) {
                throw new TlsFatalAlert(AlertDescription.bad_certificate);
            }
        }

        @Override
        public void notifyHandshakeComplete() throws IOException {
            super.notifyHandshakeComplete();
            BouncyCastlePeer.tellMasterSecret(cell, context);
        }
    }
}
