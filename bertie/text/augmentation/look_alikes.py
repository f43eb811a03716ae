"""Look-alikes: what a hand or an eye takes for a character: keys beside each other, Han characters of like shape.

In:  a letter, or a Han character
Out: what is typed or read in its place; nothing for a character that is not in the tables
Knows nothing of words.
"""

from __future__ import annotations

from functools import cache

KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
"""A keyboard, row by row; each row stands about half a key to the right of the one above."""
SHAPES = """
己已巳 未末朱 土士 人入八 日曰目 大太犬 天夫无 千干于 刀力 贝见 午牛 甲申由田 候侯 辨辩辫瓣 拨拔 析折拆
幕墓暮慕募 密蜜 即既 今令 代伐 免兔 乌鸟 栗粟 崇祟 治冶 准淮 住往 注柱驻 情清晴请睛 跑抱饱泡炮袍 狠恨很 说悦
买卖 问间闻闷 右石 左在 又叉 孑子 了子 玉王主 木本术 水永 白自百 且旦 勿匆 斤斥 历厉 厅厂 风凤 气汽 开井 万方
少小 尺尽 心必 手毛 牙才 爪瓜 戊戌戍成 史吏 兄只 失矢 平乎 宁字 永泳 母每 刑形 老考孝 地她他池 共其 再冉 西酉
达这 列例 咸成 因困团固 吃吐 先失 传转 防访仿纺妨坊 目自 血皿 向问 争净 壮状 冲中 齐济 快块 农衣 充允 羊半 送关
灯打 洲州 汗汁 江红 忘忙 寻守 伦论轮抡 没设 弛驰 阴阳 观现 坏怀环 炒抄吵钞沙 妙秒 足走 功攻 均匀 抑仰 设投 户护
把爬肥吧 服报 杜社 材村 杏否 李季 扬杨场肠 球求 束柬 来采 坚竖 吴吞 勤劝 悬县 园圆 矿旷 违围 困因 别捌 帐账胀
财材 针计 订钉盯叮 利刺 海悔梅侮 兵乒乓 姑估枯 但坦担 伸神 作昨 拍伯 低底抵 拉位 伴判 佛拂 近迎 返板版贩饭 余徐
希布 座坐 邻领 逛狂 务条 系紧 练炼 库裤 冷泠 冻栋 闲闭 沃袄 沉沈 完宗 良食 征证政 坪评 朴补 织识 郎朗 附付 坠队
纲钢 粉纷 纸低 蚊纹 奉奏 玩完 武式 责青 规现 抹沫 距拒 狗拘 拦栏 绊拌 招沼 波坡披被 泽择译 胎抬 苗描 经径轻
枚枝技 枪抢 购构 述术 面画 巨臣 刺剌 奔奋 倒到 督叔 背肯 虚虎 旺汪 昂昴 钩钓 制刷 物牧 侍待持诗 供洪 测侧 货贷
质贡 金全 受爱 乳浮 贫贪 念今 肤扶 肿种 昏混 孤狐 各备 饰饱 变恋 凉京 享亨 店底 液夜 庙苗 腐府 效郊 废发 放仿
盲育 郑邓 券卷 谈淡 线浅钱残 油抽 宣宜 审伸 官宫 窗帘 试式 防房 城诚 村衬 活话 延廷诞 核该刻孩 健建 绿录缘 隶逮
居局 屈届 盂孟 狭陕峡 限很 味妹 祖姐组租 始治 驾架 练拣 使驶 终冬 惯贯 春舂 邦帮 桂挂佳 顶项 挡档 括活 垫执 挑桃
脂指 挤济 辉挥 挪哪 早草 茶荼 慌荒 荣荧 胡湖 约药 标际 抑柳 耍要 厚原 奈耐 牢牵 战站 占点贴 看着 消削梢 偿尝
盼扮 贬眨 哄洪 映央 星腥 冒胃 责贵 虹红 虾吓 蚂妈 晶品 烟咽 哗华 晌响 校咬 滑骨 钟种 卸御 适话 杳香 愁秋 科料
量重 复夏 假段 俩两 顺须 修悠 堡保 捉促 浴俗 俭险检验捡剑签 拾恰 徽微 戴带
"""
"""Han characters of like shape, in groups; a character may be in several."""


@cache
def neighbours() -> dict[str, str]:
    """Letter to the letters on the keys around it."""
    places = {key: (row, column + row / 2) for row, keys in enumerate(KEYS) for column, key in enumerate(keys)}
    return {
        key: "".join(
            other for other, (r, c) in places.items() if other != key and abs(r - row) <= 1 and abs(c - column) <= 1
        )
        for key, (row, column) in places.items()
    }


@cache
def _shapes() -> dict[str, str]:
    found = dict[str, str]()
    for group in SHAPES.split():
        for character in group:
            known = found.get(character, "")
            found[character] = known + "".join(one for one in group if one != character and one not in known)
    return found


def look_alikes(character: str) -> str:
    """Han characters that are taken for this one."""
    return _shapes().get(character, "")
