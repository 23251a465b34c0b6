import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.HttpURLConnection;
import java.net.URL;

/** HttpURLConnection; the proxy comes from -Dhttp.proxyHost and -Dhttp.proxyPort. */
public class Client {
    public static void main(String[] args) throws Exception {
        int count = Integer.parseInt(args[3]);
        for (int n = 0; n < count; n++) {
            String number = String.valueOf(n);
            URL url = new URL(args[1].replace("{n}", number));
            String body = args[2].replace("{n}", number);
            HttpURLConnection connection = (HttpURLConnection) url.openConnection();
            connection.setRequestMethod(args[0]);
            if (body.length() > 0) {
                connection.setDoOutput(true);
                OutputStream out = connection.getOutputStream();
                out.write(body.getBytes("UTF-8"));
                out.close();
            }
            InputStream in = connection.getResponseCode() < 400 ? connection.getInputStream() : connection.getErrorStream();
            ByteArrayOutputStream answer = new ByteArrayOutputStream();
            byte[] buffer = new byte[8192];
            for (int read; in != null && (read = in.read(buffer)) > 0;) {
                answer.write(buffer, 0, read);
            }
            if (in != null) {
                in.close();
            }
            System.out.write(answer.toByteArray());
        }
        System.out.flush();
    }
}
