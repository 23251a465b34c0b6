import com.mymobileapi.www.api5.APILocator;
import com.mymobileapi.www.api5.APISoap;

public class AxisClient {
    public static void main(String[] args) throws Exception {
        APISoap api = new APILocator().getAPISoap(); // at the address that the stubs were made with
        System.out.println(api.credits_STR("user", "secret"));
    }
}
