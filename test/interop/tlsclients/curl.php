<?php
// libcurl from PHP: one handle, so that the connection is kept.
$base = $argv[1];
$curl = curl_init();
curl_setopt($curl, CURLOPT_RETURNTRANSFER, true);
curl_setopt($curl, CURLOPT_CAINFO, getenv('TLSLIFT_CA'));
if (getenv('TLSLIFT_PROXY') !== '') {
    curl_setopt($curl, CURLOPT_PROXY, 'http://' . getenv('TLSLIFT_PROXY'));
}
$limits = array('1.0' => CURL_SSLVERSION_TLSv1_0 | CURL_SSLVERSION_MAX_TLSv1_0, '1.1' => CURL_SSLVERSION_TLSv1_1 | CURL_SSLVERSION_MAX_TLSv1_1);
if (isset($limits[getenv('TLSLIFT_TLS')])) {
    curl_setopt($curl, CURLOPT_SSLVERSION, $limits[getenv('TLSLIFT_TLS')]);
    curl_setopt($curl, CURLOPT_SSL_CIPHER_LIST, 'ALL:@SECLEVEL=0');
}
function fetch($curl, $url, $body = null)
{
    curl_setopt($curl, CURLOPT_URL, $url);
    if ($body === null) {
        curl_setopt($curl, CURLOPT_HTTPGET, true);
    } else {
        curl_setopt($curl, CURLOPT_POSTFIELDS, $body);
    }
    $answer = curl_exec($curl);
    if ($answer === false) {
        fwrite(STDERR, curl_error($curl) . "\n");
        exit(1);
    }
    echo $answer;
}
fetch($curl, $base . '/exchange/get');
fetch($curl, $base . '/exchange/post', 'message=hello');
for ($n = 0; $n < 50; $n++) {
    fetch($curl, $base . '/exchange/kept/' . $n);
}
fetch($curl, $base . '/large');
