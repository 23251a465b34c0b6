using System;

class Client
{
    static void Main()
    {
        Console.WriteLine(new API().Credits_STR("user", "secret")); // at the address that the proxy class was made with
    }
}
