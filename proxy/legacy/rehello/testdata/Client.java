import java.io.*;
import java.security.SecureRandom;
import java.security.cert.X509Certificate;
import java.util.Arrays;
import javax.net.ssl.*;

/** Client PORT PROTOCOLS SUITES NAME: sends data of many sizes and expects each back. */
public class Client {
    public static void main(String[] args) throws Exception {
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, new TrustManager[] {new X509TrustManager() {
            public void checkClientTrusted(X509Certificate[] chain, String type) {}
            public void checkServerTrusted(X509Certificate[] chain, String type) {}
            public X509Certificate[] getAcceptedIssuers() { return new X509Certificate[0]; }
        }}, null);
        SSLSocket socket = (SSLSocket) context.getSocketFactory().createSocket("127.0.0.1", Integer.parseInt(args[0]));
        socket.setEnabledProtocols(args[1].split(","));
        socket.setEnabledCipherSuites(args[2].split(","));
        DataInputStream in = new DataInputStream(socket.getInputStream());
        OutputStream out = socket.getOutputStream();
        SecureRandom random = new SecureRandom();
        for (int size : new int[] {1, 2, 15, 16, 17, 100, 5000, 20000, 1}) {
            byte[] sent = new byte[size];
            byte[] got = new byte[size];
            random.nextBytes(sent);
            out.write(sent);
            in.readFully(got);
            if (!Arrays.equals(sent, got)) {
                throw new IOException("other bytes came back");
            }
        }
        System.out.println("ok " + socket.getSession().getProtocol() + " " + socket.getSession().getCipherSuite());
        socket.close();
    }
}
