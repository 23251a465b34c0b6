<?php
$options = array('cache_wsdl' => WSDL_CACHE_NONE);
$proxy = parse_url((string) getenv('http_proxy'));
if (isset($proxy['host'])) {
    $options['proxy_host'] = $proxy['host'];
    $options['proxy_port'] = $proxy['port'];
}
$client = new SoapClient($argv[1], $options);
echo $client->Credits_STR(array('username' => 'user', 'password' => 'secret'))->Credits_STRResult, "\n";
