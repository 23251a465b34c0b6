<?php
list(, $endpoint, $id) = $argv;
$ch = curl_init($endpoint);
curl_setopt($ch, CURLOPT_POST, true);
curl_setopt($ch, CURLOPT_POSTFIELDS, array('Type' => 'sendparam', 'Username' => 'user', 'Password' => 'secret', 'numto' => '27820000001', 'data1' => 'hello world', 'customerid' => $id));
curl_setopt($ch, CURLOPT_RETURNTRANSFER, true);
// Published programs give up after two seconds; a busy test machine may need longer.
curl_setopt($ch, CURLOPT_CONNECTTIMEOUT_MS, 20000);
curl_setopt($ch, CURLOPT_TIMEOUT_MS, 20000);
$body = curl_exec($ch);
if (!$body) {
    echo 'failed: ', curl_error($ch), "\n";
    exit;
}
$answer = new SimpleXMLElement($body);
if ($answer->call_result->error > ' ') {
    echo 'failed: ', $answer->call_result->error, "\n";
} elseif ($answer->call_result->result) {
    echo "sent\n";
} else {
    echo "failed: no result\n";
}
