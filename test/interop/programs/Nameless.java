import java.io.*;
import java.net.*;
import java.security.KeyStore;
import java.security.cert.*;
import javax.net.ssl.*;

/** A service that calls https with SNI switched off. Arguments: the URL, a file of trusted roots. */
public class Nameless {
    public static void main(String[] args) throws Exception {
        KeyStore roots = KeyStore.getInstance(KeyStore.getDefaultType());
        roots.load(null, null);
        try (InputStream in = new FileInputStream(args[1])) {
            roots.setCertificateEntry("root", CertificateFactory.getInstance("X.509").generateCertificate(in));
        }
        TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(roots);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, trust.getTrustManagers(), null);
        HttpsURLConnection call = (HttpsURLConnection) new URL(args[0]).openConnection();
        call.setSSLSocketFactory(context.getSocketFactory());
        try (BufferedReader in = new BufferedReader(new InputStreamReader(call.getInputStream()))) {
            for (String line; (line = in.readLine()) != null;) System.out.println(line);
        }
    }
}
