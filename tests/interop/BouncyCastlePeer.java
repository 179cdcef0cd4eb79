// What the Bouncy Castle client and the Bouncy Castle server share: keys and certificates.

import java.io.IOException;
import java.util.HexFormat;
import java.util.Vector;
import org.bouncycastle.crypto.params.AsymmetricKeyParameter;
import org.bouncycastle.crypto.util.PrivateKeyFactory;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.tls.Certificate;
import org.bouncycastle.tls.CertificateEntry;
import org.bouncycastle.tls.ProtocolVersion;
import org.bouncycastle.tls.SecurityParameters;
import org.bouncycastle.tls.SignatureAlgorithm;
import org.bouncycastle.tls.SignatureAndHashAlgorithm;
import org.bouncycastle.tls.SignatureScheme;
import org.bouncycastle.tls.TlsContext;
import org.bouncycastle.tls.TlsCredentialedSigner;
import org.bouncycastle.tls.TlsUtils;
import org.bouncycastle.tls.crypto.TlsCertificate;
import org.bouncycastle.tls.crypto.TlsCryptoParameters;
import org.bouncycastle.tls.crypto.impl.bc.BcDefaultTlsCredentialedSigner;
import org.bouncycastle.tls.crypto.impl.bc.BcTlsCrypto;

final class BouncyCastlePeer {
    private BouncyCastlePeer() {}

    /** Runs cells. Argument: the directory of the identities, or none to be told the version. */
    static void start(String[] arguments, Cell.Work work) throws IOException {
        if (arguments.length == 0) {
            System.out.println(new BouncyCastleProvider().getVersionStr());
            return;
        }
        Cell.runAll(arguments[0], work);
    }

    static ProtocolVersion version(Cell cell) {
        cell.checkTls13();
        return ProtocolVersion.get(cell.version >> 8, cell.version & 0xFF);
    }

    static byte[] der(Cell cell, String name) throws IOException {
        try {
            return cell.certificate(name).getEncoded();
        } catch (Exception exception) {
            throw new IOException(exception);
        }
    }

    static Certificate certificate(BcTlsCrypto crypto, Cell cell, String name)
        throws IOException {
        TlsCertificate certificate = crypto.createCertificate(der(cell, name));
        return new Certificate(new TlsCertificate[] {certificate});
    }

    static AsymmetricKeyParameter key(Cell cell, String name) throws IOException {
        return PrivateKeyFactory.createKey(cell.key(name));
    }

    /** Of TLS 1.3, in which a certificate repeats the context of its request. */
    static TlsCredentialedSigner signerOfTls13(
        TlsContext context, BcTlsCrypto crypto, Cell cell, String name, byte[] request)
        throws IOException {
        int scheme = SignatureScheme.rsa_pss_rsae_sha256;
        if (name.endsWith("-p256")) {
            scheme = SignatureScheme.ecdsa_secp256r1_sha256;
        } else if (name.endsWith("-p384")) {
            scheme = SignatureScheme.ecdsa_secp384r1_sha384;
        }
        TlsCertificate certificate = crypto.createCertificate(der(cell, name));
        CertificateEntry[] entries = {new CertificateEntry(certificate, null)};
        return new BcDefaultTlsCredentialedSigner(
            new TlsCryptoParameters(context),
            crypto,
            key(cell, name),
            new Certificate(request, entries),
            SignatureScheme.getSignatureAndHashAlgorithm(scheme));
    }

    static TlsCredentialedSigner signer(
        TlsContext context, BcTlsCrypto crypto, Cell cell, String name, Vector<?> offered)
        throws IOException {
        AsymmetricKeyParameter key = key(cell, name);
        short algorithm =
            name.endsWith("-rsa") ? SignatureAlgorithm.rsa : SignatureAlgorithm.ecdsa;
        SignatureAndHashAlgorithm scheme =
            TlsUtils.isTLSv12(context)
                ? TlsUtils.chooseSignatureAndHashAlgorithm(context, offered, algorithm)
                : null;
        return new BcDefaultTlsCredentialedSigner(
            new TlsCryptoParameters(context),
            crypto,
            key,
            certificate(crypto, cell, name),
            scheme);
    }

    static void tellMasterSecret(Cell cell, TlsContext context) {
        HexFormat hex = HexFormat.of();
        if (cell.isTls13()) {
            byte[] material = context.exportKeyingMaterial("EXPERIMENTAL-interop", null, 32);
            System.out.println("export " + hex.formatHex(material));
            return;
        }
        SecurityParameters parameters = context.getSecurityParametersConnection();
        byte[] secret = context.getCrypto().adoptSecret(parameters.getMasterSecret()).extract();
        System.out.println(
            "secret " + hex.formatHex(parameters.getClientRandom()) + " " + hex.formatHex(secret));
    }
}
