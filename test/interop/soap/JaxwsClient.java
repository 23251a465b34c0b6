import java.io.StringReader;
import java.io.StringWriter;
import java.net.URL;
import javax.xml.namespace.QName;
import javax.xml.transform.Source;
import javax.xml.transform.TransformerFactory;
import javax.xml.transform.stream.StreamResult;
import javax.xml.transform.stream.StreamSource;
import javax.xml.ws.BindingProvider;
import javax.xml.ws.Dispatch;
import javax.xml.ws.Service;

public class JaxwsClient {
    public static void main(String[] args) throws Exception {
        String ns = "http://www.mymobileapi.com/api5";
        Service service = Service.create(new URL(args[0]), new QName(ns, "API"));
        Dispatch<Source> call = service.createDispatch(new QName(ns, "APISoap"), Source.class, Service.Mode.PAYLOAD);
        call.getRequestContext().put(BindingProvider.SOAPACTION_USE_PROPERTY, true);
        call.getRequestContext().put(BindingProvider.SOAPACTION_URI_PROPERTY, ns + "/Credits_STR");
        String body = "<Credits_STR xmlns='" + ns + "'><username>user</username><password>secret</password></Credits_STR>";
        StringWriter answer = new StringWriter();
        TransformerFactory.newInstance().newTransformer().transform(call.invoke(new StreamSource(new StringReader(body))), new StreamResult(answer));
        System.out.println(answer);
    }
}
