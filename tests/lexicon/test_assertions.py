"""What is said of a mention: each kind of cue, where it speaks of the mention and where it doesn't."""

from __future__ import annotations

import pytest

from medasst.lexicon import Lexicon

CASES = {
    "asked of what has happened": [
        ("会不会骨折了啊，脚肿得老高", "骨折:possible"),
        ("吃了这个药会不会发烧", "发烧:hypothetical"),
        ("网上说是胃炎，我该吃啥", "胃炎:possible"),
        ("这药伤不伤肝", "伤肝:hypothetical"),
        ("爸爸脚麻是怎么回事", "脚麻:present"),
    ],
    "either, or perhaps": [
        ("不是感冒就是鼻炎呗", "感冒:possible 鼻炎:possible"),
        ("不是感冒，就是嗓子疼", "感冒:absent 嗓子疼:present"),
        ("说不准是肾结石", "肾结石:possible"),
        ("是不是骨折了呀", "是不是骨折:possible"),
        ("月经没来一周了会不会怀孕", "月经没来:present 怀孕:possible"),
        ("布洛芬吃会不会拉肚子", "布洛芬:hypothetical 拉肚子:hypothetical"),
        ("皮肤科刮了说是体癣", "体癣:present"),
        ("医生说可能是胃炎", "胃炎:possible"),
    ],
    "prevented, said of everybody": [
        ("怎么早点防糖尿病", "糖尿病:hypothetical"),
        ("怎样才能不得脚气", "脚气:hypothetical"),
        ("怎么这么咳嗽", "咳嗽:present"),
        ("谁家没个感冒咳嗽的", "感冒:hypothetical 咳嗽:hypothetical"),
    ],
    "in contrast": [
        ("打嗝反酸，烧心倒没有", "打嗝:present 反酸:present 烧心:absent"),
        ("打嗝、反酸都没有", "打嗝:absent 反酸:absent"),
    ],
    "passed, and what may be dangerous though it passed": [
        ("鼻血流了十分钟才停住，现在不流了", "鼻血流:historical"),
        ("胸口疼，刚才缓过来了", "胸口疼:present"),
        ("被同学传染了虱子", "虱子:present"),
        ("怕被同学传染了水痘", "水痘:hypothetical"),
    ],
    "medicines: left, kept, never taken": [
        ("要不是医生拦着我早吃止疼片了", "止疼片:absent"),
        ("我早吃止疼片了还是疼", "止疼片:present"),
        ("吃过坤泰胶囊，三个月前停了", "坤泰胶囊:historical"),
        ("达克宁抹抹停停", "达克宁:present"),
        ("优甲乐还得吃一辈子吗", "优甲乐:present"),
        ("优甲乐要吃一辈子吗", "优甲乐:hypothetical"),
        ("西替利嗪我还没试过", "西替利嗪:absent"),
        ("云南白药膏贴上行吗", "云南白药膏:hypothetical"),
    ],
    "looked into": [
        ("医生怀疑甲亢，抽血排除了", "甲亢:absent"),
        ("怀疑流感，测了抗原阴性", "流感:absent"),
        ("怀疑甲流，检测阳性", "甲流:present"),
        ("医生怀疑是阑尾炎，还没排除", "阑尾炎:possible"),
    ],
    "not come back": [
        ("胃溃疡三年没复发", "胃溃疡:historical 复发:absent"),
        ("鼻炎又复发了", "鼻炎:present"),
        ("我爹以前是糖前", "糖前:historical"),
        ("原来是痛风啊", "痛风:present"),
    ],
    "taken, told to take, not taken after all": [
        ("奥美拉唑吃一粒了", "奥美拉唑:present"),
        ("布洛芬吃两片没用，还是疼", "布洛芬:present"),
        ("药店说用阿苯达唑，行吗", "阿苯达唑:hypothetical"),
        ("降压药能不能停", "降压药:present"),
        ("说吃了利伐沙班，其实没吃", "利伐沙班:absent"),
        ("我打过麻腮风", "麻腮风:historical"),
        ("昨天打过头孢", "头孢:present"),
    ],
    "answered by oneself": [
        ("胸痛？有。出汗？没有。", "胸痛:present 出汗:absent"),
        ("谁说我有糖尿病", "糖尿病:absent"),
    ],
    "medicines changed": [
        ("格列齐特改的达格列净", "格列齐特:historical 达格列净:present"),
        ("甲钴胺隔天吃，还是手麻", "甲钴胺:present 手麻:present"),
        ("氨氯地平吃了俩月，上周自己停了", "氨氯地平:historical"),
        ("哪些人不适合吃阿司匹林", "阿司匹林:hypothetical"),
        ("下周要去打带状疱疹疫苗", "带状疱疹疫苗:hypothetical"),
    ],
    "denied": [
        ("我没咳嗽也没流鼻涕", "咳嗽:absent 流鼻涕:absent"),
        ("没有头痛、恶心和呕吐", "头痛:absent 恶心:absent 呕吐:absent"),
        ("没发烧没咳嗽胸口痛两个小时了", "发烧:absent 咳嗽:absent 胸口痛:present"),
        ("没头晕恶心，就是没劲", "头晕:absent 恶心:absent 没劲:present"),
        ("不痛不痒，就是起皮", "痛:absent 痒:absent"),
        ("腰不疼，腿麻", "疼:absent 腿麻:present"),
        ("咳嗽没有，痰也没有，光嗓子干", "咳嗽:absent 痰:absent 嗓子干:present"),
        ("头晕、心慌都没有", "头晕:absent 心慌:absent"),
        ("从来没得过肺炎", "肺炎:absent"),
        ("家里没人有肝病", "肝病:absent"),
        ("医生排除了阑尾炎", "阑尾炎:absent"),
        ("没吐没拉就是肚子胀", "吐:absent 拉:absent 肚子胀:present"),
        ("no fever, just a cough", "fever:absent cough:present"),
        ("mei you fa shao jiu shi ke sou", "fa shao:absent ke sou:present"),
    ],
    "denied behind a list": [
        ("咳嗽、咽痛、流鼻涕通通没有", "咳嗽:absent 咽痛:absent 流鼻涕:absent"),
        ("除了嗓子痛，发烧咳嗽都没有", "嗓子痛:present 发烧:absent 咳嗽:absent"),
        ("胃胀，黑便没有，呕血没有", "胃胀:present 黑便:absent 呕血:absent"),
        ("高血压无糖尿病无，最近失眠", "高血压:absent 糖尿病:absent 失眠:present"),
    ],
    "denied only in looks": [
        ("不是不发烧，是一直低烧", "发烧:present 低烧:present"),
        ("不仅头痛还恶心", "头痛:present 恶心:present"),
        ("不知道怎么回事总是头晕", "头晕:present"),
        ("不停地咳嗽", "咳嗽:present"),
        ("没有一天不头痛", "头痛:present"),
        ("受不了了牙痛", "牙痛:present"),
        ("没想到又拉肚子了", "拉肚子:present"),
        ("吃了没用还是头痛", "头痛:present"),
        ("头痛没发烧", "头痛:present 发烧:absent"),
    ],
    "put right": [
        ("不是牙痛是耳朵痛", "牙痛:absent 耳朵痛:present"),
        ("不是感冒，是过敏性鼻炎", "感冒:absent 过敏性鼻炎:present"),
    ],
    "doubted": [
        ("是不是得了胃炎", "胃炎:possible"),
        ("怀疑是痛风", "痛风:possible"),
        ("会不会是肺炎啊", "肺炎:possible"),
        ("这是湿疹吗", "湿疹:possible"),
        ("脚上长东西，是鸡眼还是跖疣", "鸡眼:possible 跖疣:possible"),
        ("宝宝幼儿急疹？", "幼儿急疹:possible"),
        ("估计是落枕了", "落枕:possible"),
        ("脖子僵，像不像落枕", "落枕:possible"),
        ("我担心是不是肺癌", "肺癌:possible"),
        ("这是不是带状疱疹啊", "带状疱疹:possible"),
        ("要排除心梗得做什么检查", "心梗:possible"),
        ("我耳鸣，会不会突聋", "突聋:possible"),
        ("阑尾炎会不会啊，我右下腹痛", "阑尾炎:possible"),
        ("肺炎还没确诊", "肺炎:possible"),
    ],
    "talked of": [
        ("怎么预防感冒", "感冒:hypothetical"),
        ("什么是带状疱疹", "带状疱疹:hypothetical"),
        ("万一过敏了怎么办", "过敏:hypothetical"),
        ("要是发烧了能不能喝", "发烧:hypothetical"),
        ("吃这个会不会拉肚子", "拉肚子:hypothetical"),
        ("怕感染新冠", "新冠:hypothetical"),
        ("中暑的话喝什么", "中暑:hypothetical"),
        ("鼻炎能根治吗", "鼻炎:hypothetical"),
        ("荨麻疹能不能吹风", "荨麻疹:hypothetical"),
        ("甲肝是怎么传的", "甲肝:hypothetical"),
        ("请问荨麻疹能不能吹风", "荨麻疹:hypothetical"),
        ("假如真是甲亢，能怀孕吗", "甲亢:hypothetical 怀孕:hypothetical"),
        ("感冒药哪个不犯困", "犯困:hypothetical"),
        ("再过敏怎么办", "过敏:hypothetical"),
        ("吃布洛芬会不会胃溃疡", "胃溃疡:hypothetical"),
    ],
    "over": [
        ("去年得过肺炎，现在又咳嗽", "肺炎:historical 咳嗽:present"),
        ("小时候有过哮喘", "哮喘:historical"),
        ("湿疹早好了", "湿疹:historical"),
        ("胃溃疡前年治好了，最近胃痛", "胃溃疡:historical 胃痛:present"),
        ("荨麻疹上个月得过一次", "荨麻疹:historical"),
        ("做完阑尾炎手术三天", "阑尾炎:historical"),
        ("红疹退了", "红疹:historical"),
    ],
    "over, cut out or long ago": [
        ("胸口痛那是去年的事了", "胸口痛:historical"),
        ("子宫肌瘤前年微创切了", "子宫肌瘤:historical"),
        ("肺炎出院两周，还有点咳", "肺炎:historical 咳:present"),
        ("宫外孕有过一次", "宫外孕:historical"),
        ("骨折三年了，现在阴天就酸", "骨折:historical"),
        ("昨天拉肚子五次今天不拉了", "拉肚子:historical"),
    ],
    "over only in looks": [
        ("高血压三年了，吃着药", "高血压:present"),
        ("我荨麻疹能不能洗澡", "荨麻疹:present"),
        ("高血压去年查出来的", "高血压:present"),
        ("以前没事，最近总头晕", "头晕:present"),
        ("失眠好多年了", "失眠:present"),
        ("老毛病偏头痛又犯了", "偏头痛:present"),
    ],
    "resolved": [
        ("孩子不吐了", "吐:absent"),
        ("烧退了还咳嗽", "咳嗽:present"),
    ],
    "somebody else's": [
        ("同事感冒了，我怎么防", "感冒:someone_else"),
        ("班上有手足口，孩子暂时没事", "手足口:someone_else"),
        ("我爸胃癌走的，我最近胃胀", "胃癌:someone_else 胃胀:present"),
        ("电视剧里男主咳血", "咳血:someone_else"),
        ("我姐糖尿病，我也会得吗", "糖尿病:someone_else"),
        ("朋友吃了拉肚子，我不敢吃", "拉肚子:someone_else"),
        ("单位食堂食物中毒了好几个", "食物中毒:someone_else"),
        ("高烧不退，那是男主的台词", "高烧:someone_else"),
        ("班主任水痘，我家娃没起疹，发烧的话怎么办", "水痘:someone_else"),
    ],
    "sought for somebody": [
        ("替同事问，他牙痛吃什么", "牙痛:present"),
        ("同事突然晕倒了怎么办", "晕倒:present"),
        ("我妈糖尿病能吃这个吗", "糖尿病:present"),
        ("我老公发烧我也发烧，两个人能吃一样的吗", "发烧:present"),
    ],
}
MEDICINES = {
    "taken": [
        ("我一直吃二甲双胍", "二甲双胍:present"),
        ("布洛芬吃了两天没用", "布洛芬:present"),
        ("昨天挂了头孢", "头孢:present"),
        ("沙丁胺醇喷了三次还喘", "沙丁胺醇:present"),
        ("高血压吃着氨氯地平，脚肿", "氨氯地平:present"),
        ("现在换成缬沙坦", "缬沙坦:present"),
        ("阿司匹林和氯吡格雷都吃了一年", "阿司匹林:present 氯吡格雷:present"),
        ("我爸吃华法林，牙龈出血", "华法林:present"),
        ("阿托伐他汀能停吗", "阿托伐他汀:present"),
        ("还要不要继续吃美林", "美林:present"),
        ("退烧药六小时前吃的", "退烧药:present"),
        ("布洛芬止不住，痛得睡不着", "布洛芬:present"),
        ("氨氯地平换成缬沙坦可以吗", "氨氯地平:present 缬沙坦:hypothetical"),
        ("要不要停二甲双胍", "二甲双胍:present"),
    ],
    "asked for": [
        ("想买布洛芬", "布洛芬:hypothetical"),
        ("有没有蒙脱石散", "蒙脱石散:hypothetical"),
        ("奥美拉唑饭前吃还是饭后吃", "奥美拉唑:hypothetical"),
        ("布洛芬吃了会不会伤胃", "布洛芬:hypothetical"),
        ("听说有人吃二甲双胍减肥", "二甲双胍:hypothetical"),
        ("能不能吃阿莫西林", "阿莫西林:hypothetical"),
        ("医生让吃氯雷他定，怎么吃", "氯雷他定:hypothetical"),
        ("我要是吃了头孢能喝酒吗", "头孢:hypothetical"),
    ],
    "not taken": [
        ("没吃过阿莫西林", "阿莫西林:absent"),
        ("布洛芬还没吃", "布洛芬:absent"),
        ("抗生素我不要", "抗生素:absent"),
        ("没给孩子喂美林", "美林:absent"),
    ],
    "taken formerly": [
        ("以前吃过舍曲林", "舍曲林:historical"),
        ("优甲乐去年停了", "优甲乐:historical"),
        ("我停了氯吡格雷，牙龈不出血了", "氯吡格雷:historical"),
        ("上回我吃甲硝唑就吐", "甲硝唑:historical"),
        ("地塞米松三年前用过", "地塞米松:historical"),
    ],
}


def read(lexicon: Lexicon, text: str) -> dict[str, str]:
    return {mention.words: mention.by_cues for mention in lexicon.read(text).mentions}


@pytest.mark.parametrize(("text", "wanted"), [case for cases in (*CASES.values(), *MEDICINES.values()) for case in cases])
def test_assertion(lexicon: Lexicon, text: str, wanted: str) -> None:
    found = read(lexicon, text)
    pairs = [piece.rsplit(":", 1) for piece in wanted.replace("fa shao", "fa_shao").replace("ke sou", "ke_sou").split(" ")]
    for words, assertion in ((words.replace("_", " "), assertion) for words, assertion in pairs):
        said = [got for name, got in found.items() if words in name]
        assert said == [assertion], (words, found)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("网上说喝板蓝根会肝炎，我就嗓子疼", ["hypothetical", "hypothetical", "present"]),
        ("人家说维生素能治脱发", ["hypothetical", "hypothetical"]),
        ("他说他头疼", ["present"]),
        ("我流鼻涕，倒没有咳嗽", ["present", "absent"]),
        ("流鼻涕，咳嗽倒没有就是嗓子疼", ["present", "absent", "present"]),
        ("哪有什么高血压", ["absent"]),
        ("打呼噜算病吗", ["hypothetical"]),
        ("我妈每周吃一片阿仑膦酸钠", ["present"]),
        ("德巴金才吃半年", ["present"]),
        ("我不是要买安眠药", ["absent"]),
        ("要不要买肠虫清", ["hypothetical"]),
    ],
)
def test_general_talk_and_doses_by_rhythm(lexicon: Lexicon, text: str, wanted: list[str]) -> None:
    assert [mention.by_cues for mention in lexicon.read(text).mentions] == wanted
