import java.io.FileInputStream;
import java.security.cert.*;
import java.util.*;

/** Verify ROOT CHAIN...: has PKIX judge each chain below the trust anchor. */
public class Verify {
    public static void main(String[] args) throws Exception {
        CertificateFactory factory = CertificateFactory.getInstance("X.509");
        X509Certificate root;
        try (FileInputStream in = new FileInputStream(args[0])) {
            root = (X509Certificate) factory.generateCertificate(in);
        }
        for (int i = 1; i < args.length; i++) {
            List<Certificate> chain;
            try (FileInputStream in = new FileInputStream(args[i])) {
                chain = new ArrayList<>(factory.generateCertificates(in));
            }
            PKIXParameters parameters = new PKIXParameters(Set.of(new TrustAnchor(root, null)));
            parameters.setRevocationEnabled(false);
            try {
                CertPathValidator.getInstance("PKIX").validate(factory.generateCertPath(chain), parameters);
                System.out.println("ok");
            } catch (CertPathValidatorException e) {
                System.out.println("refused: " + e.getMessage());
            }
        }
    }
}
