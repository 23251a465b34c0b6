import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.HttpURLConnection;
import java.net.URL;

public class Sender {
    public static void main(String[] args) throws Exception {
        String query = "Type=sendparam&Username=user&Password=secret&numto=27820000001&data1=hello+world&customerid=" + args[1];
        HttpURLConnection c = (HttpURLConnection) new URL(args[0] + "?" + query).openConnection();
        StringBuffer answer = new StringBuffer();
        try {
            BufferedReader in = new BufferedReader(new InputStreamReader(c.getInputStream()));
            for (String line; (line = in.readLine()) != null;) {
                answer.append(line);
            }
            in.close();
        } catch (IOException e) {
            System.out.println("failed: " + e);
            return;
        }
        boolean sent = answer.indexOf("<result>True</result>") >= 0;
        System.out.println(sent ? "sent" : "failed: " + answer);
    }
}
