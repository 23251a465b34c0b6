using System;
using System.IO;
using System.Net;
using System.Text;

/// WebClient, as .NET Framework programs use it: Expect: 100-continue goes out with every POST.
class Client
{
    static int Main(string[] args)
    {
        var output = Console.OpenStandardOutput();
        int count = int.Parse(args[3]);
        var proxy = Environment.GetEnvironmentVariable("TLSLIFT_PROXY");
        for (int n = 0; n < count; n++)
        {
            var url = args[1].Replace("{n}", n.ToString());
            var body = args[2].Replace("{n}", n.ToString());
            byte[] answer;
            using (var client = new WebClient())
            {
                if (!string.IsNullOrEmpty(proxy)) client.Proxy = new WebProxy("http://" + proxy);
                try
                {
                    if (args[0] == "POST")
                    {
                        client.Headers[HttpRequestHeader.ContentType] = "application/x-www-form-urlencoded";
                        answer = client.UploadData(url, "POST", Encoding.UTF8.GetBytes(body));
                    }
                    else
                    {
                        answer = client.DownloadData(url);
                    }
                }
                catch (WebException e)
                {
                    if (e.Response == null) throw;
                    var memory = new MemoryStream();
                    e.Response.GetResponseStream().CopyTo(memory);
                    answer = memory.ToArray();
                }
            }
            output.Write(answer, 0, answer.Length);
        }
        output.Flush();
        return 0;
    }
}
