using System;
using System.IO;
using System.Net;
using System.Text;

/// HttpWebRequest, as .NET Framework programs use it: Expect: 100-continue goes out with every POST.
class Client
{
    static Stream output = Console.OpenStandardOutput();

    static void Fetch(string url, string body)
    {
        var request = (HttpWebRequest)WebRequest.Create(url);
        var proxy = Environment.GetEnvironmentVariable("TLSLIFT_PROXY");
        request.Proxy = string.IsNullOrEmpty(proxy) ? null : new WebProxy("http://" + proxy);
        if (body != null)
        {
            request.Method = "POST";
            request.ContentType = "application/x-www-form-urlencoded";
            var bytes = Encoding.ASCII.GetBytes(body);
            request.ContentLength = bytes.Length;
            using (var stream = request.GetRequestStream()) stream.Write(bytes, 0, bytes.Length);
        }
        using (var answer = request.GetResponse()) answer.GetResponseStream().CopyTo(output);
    }

    static int Main(string[] args)
    {
        var version = Environment.GetEnvironmentVariable("TLSLIFT_TLS");
        if (version == "1.0") ServicePointManager.SecurityProtocol = (SecurityProtocolType)192;
        if (version == "1.1") ServicePointManager.SecurityProtocol = (SecurityProtocolType)768;
        Fetch(args[0] + "/exchange/get", null);
        Fetch(args[0] + "/exchange/post", "message=hello");
        for (int n = 0; n < 50; n++) Fetch(args[0] + "/exchange/kept/" + n, null);
        Fetch(args[0] + "/large", null);
        output.Flush();
        return 0;
    }
}
