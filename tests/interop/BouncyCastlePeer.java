// What the Bouncy Castle client and the Bouncy Castle server share: keys and certificates.

import java.io.IOException;
import java.util.HexFormat;
import java.util.Vector;
import org.bouncycastle.crypto.params.AsymmetricKeyParameter;
import org.bouncycastle.crypto.util.PrivateKeyFactory;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.tls.Certificate;
import org.bouncycastle.tls.ProtocolVersion;
import org.bouncycastle.tls.SecurityParameters;
import org.bouncycastle.tls.SignatureAlgorithm;
import org.bouncycastle.tls.SignatureAndHashAlgorithm;
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

    static void tellMasterSecret(TlsContext context) {
        SecurityParameters parameters = context.getSecurityParametersConnection();
        byte[] secret = context.getCrypto().adoptSecret(parameters.getMasterSecret()).extract();
        HexFormat hex = HexFormat.of();
        System.out.println(
            "secret " + hex.formatHex(parameters.getClientRandom()) + " " + hex.formatHex(secret));
    }
}
