<?php
// file_get_contents on https, with the proxy in its context.
$base = $argv[1];
$versions = array('1.0' => STREAM_CRYPTO_PROTO_TLSv1_0, '1.1' => STREAM_CRYPTO_PROTO_TLSv1_1);
function fetch($url, $body = null)
{
    global $versions;
    $http = array('method' => $body === null ? 'GET' : 'POST');
    if (getenv('TLSLIFT_PROXY') !== '') {
        $http['proxy'] = 'tcp://' . getenv('TLSLIFT_PROXY');
    }
    if ($body !== null) {
        $http['header'] = "Content-Type: application/x-www-form-urlencoded\r\n";
        $http['content'] = $body;
    }
    $ssl = array('cafile' => getenv('TLSLIFT_CA'), 'verify_peer' => true, 'verify_peer_name' => true);
    if (isset($versions[getenv('TLSLIFT_TLS')])) { // crypto_method has no effect behind a proxy
        $version = $versions[getenv('TLSLIFT_TLS')];
        $ssl += array('min_proto_version' => $version, 'max_proto_version' => $version, 'security_level' => 0, 'ciphers' => 'ALL:@SECLEVEL=0');
    }
    $answer = file_get_contents($url, false, stream_context_create(array('http' => $http, 'ssl' => $ssl)));
    if ($answer === false) {
        exit(1);
    }
    echo $answer;
}
fetch($base . '/exchange/get');
fetch($base . '/exchange/post', 'message=hello');
for ($n = 0; $n < 50; $n++) {
    fetch($base . '/exchange/kept/' . $n);
}
fetch($base . '/large');
