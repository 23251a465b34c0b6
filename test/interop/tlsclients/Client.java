import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.HttpURLConnection;
import java.net.Socket;
import java.net.URL;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.SSLSocketFactory;

/**
 * HttpURLConnection, whose proxy and versions come from system properties; or,
 * with a second argument, an SSLSocket with those protocols enabled ("SSLv2Hello,TLSv1"
 * is what Java 5 and 6 do by themselves), which names no server, since it
 * connects by address.
 */
public class Client {
    private static final int KEPT = 50;

    public static void main(String[] args) throws Exception {
        if (args.length > 1) {
            socket(new URL(args[0]), args[1].split(","));
        } else {
            connection(args[0]);
        }
        System.out.flush();
    }

    private static void connection(String base) throws IOException {
        fetch(base + "/exchange/get", null);
        fetch(base + "/exchange/post", "message=hello");
        for (int n = 0; n < KEPT; n++) {
            fetch(base + "/exchange/kept/" + n, null);
        }
        fetch(base + "/large", null);
    }

    private static void fetch(String url, String body) throws IOException {
        HttpURLConnection connection = (HttpURLConnection) new URL(url).openConnection();
        if (body != null) {
            connection.setDoOutput(true);
            OutputStream out = connection.getOutputStream();
            out.write(body.getBytes("US-ASCII"));
            out.close();
        }
        InputStream in = connection.getInputStream();
        copy(in, Integer.MAX_VALUE);
        in.close();
    }

    private static void socket(URL url, String[] protocols) throws Exception {
        String proxy = System.getenv("TLSLIFT_PROXY");
        Socket plain;
        if (proxy == null || proxy.isEmpty()) {
            plain = new Socket("127.0.0.1", url.getPort());
        } else {
            String[] parts = proxy.split(":");
            plain = new Socket(parts[0], Integer.parseInt(parts[1]));
            plain.getOutputStream().write(("CONNECT " + url.getHost() + ":443 HTTP/1.0\r\n\r\n").getBytes("US-ASCII"));
            head(plain.getInputStream());
        }
        SSLSocket tls = (SSLSocket) ((SSLSocketFactory) SSLSocketFactory.getDefault()).createSocket(plain, "127.0.0.1", 443, true);
        tls.setEnabledProtocols(protocols);
        OutputStream out = tls.getOutputStream();
        InputStream in = new BufferedInputStream(tls.getInputStream());
        ask(out, in, url, "/exchange/get", null);
        ask(out, in, url, "/exchange/post", "message=hello");
        for (int n = 0; n < KEPT; n++) {
            ask(out, in, url, "/exchange/kept/" + n, null);
        }
        ask(out, in, url, "/large", null);
        tls.close();
    }

    private static void ask(OutputStream out, InputStream in, URL url, String path, String body) throws IOException {
        String request = (body == null ? "GET " : "POST ") + path + " HTTP/1.1\r\nHost: " + url.getAuthority() + "\r\n";
        request += body == null ? "\r\n" : "Content-Length: " + body.length() + "\r\n\r\n" + body;
        out.write(request.getBytes("US-ASCII"));
        String length = head(in).replaceAll("(?is).*\\ncontent-length: *(\\d+).*", "$1");
        copy(in, Integer.parseInt(length));
    }

    /** Reads a head, byte by byte: nothing after it may be taken. */
    private static String head(InputStream in) throws IOException {
        ByteArrayOutputStream head = new ByteArrayOutputStream();
        while (!head.toString("US-ASCII").endsWith("\r\n\r\n")) {
            int b = in.read();
            if (b < 0) {
                throw new IOException("no answer but " + head);
            }
            head.write(b);
        }
        return head.toString("US-ASCII");
    }

    private static void copy(InputStream in, int limit) throws IOException {
        byte[] buffer = new byte[8192];
        int left = limit;
        while (left > 0) {
            int read = in.read(buffer, 0, Math.min(left, buffer.length));
            if (read < 0) {
                if (limit != Integer.MAX_VALUE) {
                    throw new IOException("cut short");
                }
                return;
            }
            System.out.write(buffer, 0, read);
            left -= read;
        }
    }
}
