import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.URL;

/** An application of many years: one GET, knowing nothing of any proxy. */
public final class Call {
    public static void main(String[] args) throws Exception {
        HttpURLConnection c = (HttpURLConnection) new URL(args[0]).openConnection();
        c.setConnectTimeout(20000);
        c.setReadTimeout(20000);
        int status = c.getResponseCode();
        try (InputStream in = c.getInputStream()) {
            System.out.write(in.readAllBytes());
        }
        System.out.println();
        System.exit(status == 200 ? 0 : 1);
    }
}
