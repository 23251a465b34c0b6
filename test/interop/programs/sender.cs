using System;
using System.IO;
using System.Net;

class Sender
{
    static void Main(string[] args)
    {
        var query = "Type=sendparam&Username=user&Password=secret&numto=27820000001&data1=hello world&customerid=" + args[1];
        try
        {
            var request = (HttpWebRequest)WebRequest.Create(args[0] + "?" + query);
            using (var response = (HttpWebResponse)request.GetResponse())
            using (var reader = new StreamReader(response.GetResponseStream()))
            {
                var answer = reader.ReadToEnd();
                Console.WriteLine(answer.Contains("<result>True</result>") ? "sent" : "failed: " + answer);
            }
        }
        catch (WebException e)
        {
            Console.WriteLine("failed: " + e.Message);
        }
    }
}
