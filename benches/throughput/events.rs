//! Instance-status events of one kilobyte, as EventBridge delivers them.

/// Event `number`: one in a hundred failed (5), four in a hundred wait for resources (3), the rest
/// succeeded (6).
pub(crate) fn payload(number: usize) -> Vec<u8> {
    let status = match number % 100 {
        0 => 5,
        1..=4 => 3,
        _ => 6,
    };
    let (instance, node) = (73_910_000_000 + number, 700_005_183_000 + number % 50_000);
    let text = format!(
        "{{\"datacontenttype\":\"application/json;charset=utf-8\",\"data\":{{\"beginWaitTimeTime\":1773280800000,\
        \"dagId\":1180044633,\"dagType\":0,\"eventCode\":\"instance-status-changes\",\"taskType\":0,\
        \"modifyTime\":1773282600000,\"createTime\":1773246600000,\"appId\":96384,\"tenantId\":283785412310656,\
        \"opCode\":61,\"flowId\":1,\"nodeId\":{node},\"beginWaitResTime\":1773281700000,\"taskId\":{instance},\
        \"status\":{status},\"finishTime\":1773282600000,\"beginRunningTime\":1773282000000,\"remark\":\"{}\"}},\
        \"id\":\"{:08x}-2db7-5dd7-b09a-{:012x}\",\"source\":\"acs.dataworks\",\"specversion\":\"1.0\",\"subject\":\"\",\
        \"time\":\"2026-03-12T10:30:00+08:00\",\
        \"type\":\"dataworks:InstanceStatusChanges:InstanceStatusChanges\",\"aliyunaccountid\":\"1460982254730185\",\
        \"aliyuneventbusname\":\"dataworks-events\",\"aliyunregionid\":\"cn-hangzhou\",\
        \"aliyunpublishaddr\":\"172.25.16.40\"}}",
        "x".repeat(160),
        number.wrapping_mul(2_654_435_761) & 0xffff_ffff,
        number.wrapping_mul(0x9e37_79b9_7f4a_7c15) & 0xffff_ffff_ffff,
    );
    text.into_bytes()
}
